"""One attempt at a task: the context that its processor is given."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from tandem.clock import Clock
from tandem.files.blobs import BlobMissing, BlobStore, OpenBlob, task_prefix, upload_key
from tandem.files.filename import InvalidFilename, saved_name
from tandem.ids import TaskId, UploadId, parse_uuid
from tandem.limits import CANCEL_CHECK, LEASE_MARGIN
from tandem.processing.context import Abandoned, Logger, Pool, SavedFile
from tandem.tasks.changes import Change
from tandem.tasks.outcomes import NoRoomHere
from tandem.tasks.retry import Permanent
from tandem.tasks.store import ChangeRefused, TaskStore
from tandem.tasks.task import Progress, State, StoredPayload, Task
from tandem.tasks.transitions import extend_lease, report_progress
from tandem.text import storable
from tandem.trace import described

if TYPE_CHECKING:
    from tandem.tasks.effect import Unknown
    from tandem.tasks.once import Effects

PROGRESS_EVERY = timedelta(seconds=1)
PROGRESS_CHARACTERS = 200
_CHUNK_BYTES = 1 << 20
_SUFFIX_CHARACTERS = 32


class Attempt:
    """Implements `TaskContext` for the attempt that holds a task.

    The processor's threads and the one that watches over them use it at once.
    """

    def __init__(
        self,
        task: Task,
        *,
        deadline: datetime,
        store: TaskStore,
        blobs: BlobStore,
        clock: Clock,
        pool: Pool,
        effects: "Callable[[Task], Effects]",
        logger: Logger,
        check_size: Callable[[int], None],
        in_api: bool = False,
    ) -> None:
        self.task = task
        self.deadline = deadline
        self.pool = pool
        self.logger = logger
        self.in_api = in_api
        """Whether the API runs it: the worker may have what this process has not."""
        self.file: StoredPayload | None = None
        self.time_taken: Callable[[], timedelta] = timedelta
        """For how long its process stood still since it started."""
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._make_effects = effects
        self._effects: Effects | None = None
        self.uploads_read: dict[UploadId, set[str]] = {}
        """Which versions of which uploads were opened: a file may be replaced at any time."""
        self._upload_bytes: dict[UploadId, int] = {}
        self._check_size = check_size
        self._writing = Lock()
        self._noting = Lock()
        self._closed = False
        self._cancel_requested = False
        self._progress_at: datetime | None = None
        self._looked_at = clock.now()

    @property
    def task_id(self) -> TaskId:
        """The task's id."""
        return self.task.task_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.task.attempts

    @property
    def holds(self) -> bool:
        """Whether it held the task when it last wrote: a write is answered with the task as it is.

        One whose answer was lost was made, and others may have written since.
        """
        return self.task.state is State.RUNNING and self.task.lease_until is not None

    @property
    def overdue(self) -> bool:
        """Whether its deadline has passed."""
        return self._clock.now() >= self.deadline

    @property
    def crowded_out(self) -> bool:
        """Whether it may have what its neighbours took of its time, at no cost: a few times."""
        taken = self.time_taken()
        return bool(taken) and self._clock.now() - taken < self.deadline and self.had_company

    @property
    def had_company(self) -> bool:
        """Whether its neighbours may be at fault, at no cost to the task: a few times."""
        return self.task.in_company and self.task.crashes < self.task.max_crashes

    @property
    def cancel_requested(self) -> bool:
        """Whether the owner is known to have asked it to stop."""
        return self._cancel_requested

    def close(self) -> bool:
        """End the attempt for its processor, and return whether this call did: the first does.

        So of two threads that would record how it ended, one does.
        """
        with self._noting:
            closed, self._closed = self._closed, True
        return not closed

    def write(self, make: Callable[[Task], Change]) -> Task:
        """Change the task under the attempt's fence, and return it as it then is.

        Args:
            make: returns the change of the task as this attempt knows it.

        Raises:
            ChangeRefused: the attempt does not hold the task, or the change is not allowed.
        """
        with self._writing:
            if self.task.lease_until is None:
                raise ChangeRefused(self.task)
            self.task = self._store.change(self.task.task_id, make(self.task))
            return self.task

    def hold(self) -> None:
        """Hold the task until the deadline and its margin, where the claim's lease ends before.

        It is written once, before the processor starts: no neighbour, and no service that does not
        answer, can take the task from an attempt that lives.

        Raises:
            ChangeRefused: the attempt does not hold the task any more.
        """
        needed = self.deadline + LEASE_MARGIN
        if self.task.lease_until is not None and self.task.lease_until < needed:
            self.write(lambda task: extend_lease(task, lease_until=needed))

    def check_cancelled(self) -> None:
        """Raise Abandoned when the work should not go on."""
        if self._closed or self.overdue:
            raise Abandoned
        if self._due("_looked_at", CANCEL_CHECK):
            try:
                task = self._store.get(self.task.task_id)
            except Exception as error:  # noqa: BLE001 - a look that fails must not fail the work
                self.logger.warning("not looked for a cancel", **described(error))
                return
            if task is None or task.attempts != self.attempt or task.state is not State.RUNNING:
                self.close()
                raise Abandoned
            self._note(task)
        if self._cancel_requested:
            raise Abandoned

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Say how far the work is. Written at most once a second."""
        if self._closed or self.overdue or self._cancel_requested:
            raise Abandoned
        if not self._due("_progress_at", PROGRESS_EVERY):
            return
        progress = Progress(done, total, storable(message, PROGRESS_CHARACTERS))
        try:
            self._note(self.write(lambda task: report_progress(task, progress)))
        except ChangeRefused:
            self.close()
            raise Abandoned from None
        except Exception as error:  # noqa: BLE001 - what only shows must not fail the work
            self.logger.warning("progress not recorded", **described(error))

    def _note(self, task: Task) -> None:
        if task.cancel_requested_at is not None:
            self._cancel_requested = True

    def _due(self, name: str, period: timedelta) -> bool:
        """Return whether a period has passed since this last returned so for that name."""
        now = self._clock.now()
        with self._noting:
            before: datetime | None = getattr(self, name)
            if before is not None and now - before < period:
                return False
            setattr(self, name, now)
            return True

    def once(self, key: str, call: Callable[[str], Any], *, unknown: "Unknown" = "fail") -> Any:
        """Return the answer of an outside effect, which happens at most once for the task."""
        from tandem.tasks.effect import NotHeld

        ended = self._closed or self.task.lease_until is None
        if ended or self.overdue or self._cancel_requested:
            raise Abandoned
        try:
            return self._effects_of_task().once(key, call, unknown=unknown)
        except NotHeld:
            self.close()
            raise Abandoned from None

    def _effects_of_task(self) -> "Effects":
        with self._noting:
            if self._effects is None:
                self._effects = self._make_effects(self.task)
            return self._effects

    def open_upload(self, upload_id: str) -> AbstractContextManager[BinaryIO]:
        """Return a stream over one of the tenant's uploads, read as it arrives."""
        return self._stream(upload_id)

    @contextmanager
    def fetch_upload(self, upload_id: str) -> Iterator[Path]:
        """Return one of the tenant's uploads as a local file, removed afterwards."""
        with TemporaryDirectory(prefix="upload-") as folder:
            with self._opened(upload_id) as source:
                self._check_disk(source.info.size_bytes, Path(folder))
                path = Path(folder, "upload" + _suffix(source.info.filename))
                with path.open("wb") as target:
                    while chunk := source.stream.read(_CHUNK_BYTES):
                        self.check_cancelled()
                        target.write(chunk)
            yield path

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Keep a file as the task's result. A second call replaces the first."""
        try:
            safe = saved_name(name)
        except InvalidFilename as error:
            raise Permanent(str(error)) from None
        key = f"{task_prefix(self.task.task_id)}{self.attempt}/files/{safe}"
        size = self._blobs.put(key, content, content_type=content_type)
        self.file = StoredPayload(key, size)
        return SavedFile(name=safe, content_type=content_type, size_bytes=size)

    @contextmanager
    def _stream(self, upload_id: str) -> Iterator[BinaryIO]:
        with self._opened(upload_id) as blob:
            yield blob.stream

    @contextmanager
    def _opened(self, upload_id: str) -> Iterator[OpenBlob]:
        known = parse_uuid(upload_id)
        if known is None:
            raise _no_upload(upload_id)
        key = upload_key(self.task.tenant, UploadId(known))
        with ExitStack() as stack:
            try:
                blob = stack.enter_context(self._blobs.open(key))
            except BlobMissing:
                raise _no_upload(upload_id) from None
            with self._noting:
                self.uploads_read.setdefault(UploadId(known), set()).add(blob.info.version)
                self._upload_bytes[UploadId(known)] = blob.info.size_bytes
                size_bytes = sum(self._upload_bytes.values())
            self._check_size(size_bytes)
            yield blob

    def _check_disk(self, size_bytes: int, folder: Path) -> None:
        """Refuse a file that no attempt here could hold, however empty the disk is."""
        room_bytes = shutil.disk_usage(folder).total
        if size_bytes <= room_bytes:
            return
        if self.in_api:
            raise NoRoomHere
        message = f"the upload has {size_bytes} bytes, and the function's disk {room_bytes}"
        raise Permanent(message)


def _suffix(filename: str) -> str:
    """Return what a file name ends with, `.csv.gz` for one. Nothing when that is too long."""
    suffix = "".join(Path(filename).suffixes[-2:])
    return suffix if len(suffix) <= _SUFFIX_CHARACTERS else ""


def _no_upload(upload_id: str) -> Permanent:
    message = f"there is no upload {upload_id[:64]!r}"
    return Permanent(message)
