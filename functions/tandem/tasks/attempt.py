"""One attempt at a task: the context that its processor is given."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel

from tandem.clock import Clock
from tandem.files.blobs import BlobStore
from tandem.ids import TaskId
from tandem.limits import CANCEL_CHECK, LEASE_MARGIN
from tandem.processing.context import Abandoned, Logger, Pool, SavedFile
from tandem.tasks.attempt_files import AttemptFiles
from tandem.tasks.retry import OwnFault
from tandem.tasks.store import ChangeRefused, TaskReader, TaskWriter
from tandem.tasks.task import Progress, State, Task
from tandem.tasks.transitions import Change, extend_lease, report_progress
from tandem.text import storable
from tandem.trace import described

if TYPE_CHECKING:
    from tandem.tasks.effects import Effects, Unknown

PROGRESS_EVERY = timedelta(seconds=1)
PROGRESS_CHARACTERS = 200


class _Pace:
    """Lets something happen once in a period, whichever thread asks."""

    def __init__(self, period: timedelta, *, since: datetime | None) -> None:
        """Let it happen a period after it last did, and at once if it never did."""
        self._period = period
        self._before = since
        self._lock = Lock()

    def due(self, now: datetime) -> bool:
        """Return whether it may happen now. It then counts as done."""
        with self._lock:
            if self._before is not None and now - self._before < self._period:
                return False
            self._before = now
            return True


class Attempt:
    """Implements `TaskContext` for the attempt that holds a task.

    The processor's threads and the one that watches over them use it at once.
    """

    def __init__(
        self,
        task: Task,
        *,
        deadline: datetime,
        reader: TaskReader,
        writer: TaskWriter,
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
        self.given_settings: BaseModel | None = None
        """The settings that its processor declares, made before it starts."""
        self.begun = False
        """Whether its processor has started: before, its input and settings are read."""
        self.time_taken: Callable[[], timedelta] = timedelta
        """For how long its process stood still since it started."""
        self.files = AttemptFiles(
            task,
            blobs,
            check_size=check_size,
            check_cancelled=self.check_cancelled,
            in_api=in_api,
        )
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._make_effects = effects
        self._effects: Effects | None = None
        self._writing = Lock()
        self._noting = Lock()
        self._closed = False
        self._cancel_requested = False
        self._looks = _Pace(CANCEL_CHECK, since=clock.now())
        self._reports = _Pace(PROGRESS_EVERY, since=None)

    @property
    def task_id(self) -> TaskId:
        """The task's id."""
        return self.task.task_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.task.attempts

    @property
    def settings(self) -> Any:
        """The settings of the model that the processor declares, as they were at its start."""
        if self.given_settings is None:
            message = "the processor declares no settings: @processor(…, settings=Model)"
            raise OwnFault(message)
        return self.given_settings

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
            self.task = self._writer.change(self.task.task_id, make(self.task))
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
        if self._looks.due(self._clock.now()):
            try:
                task = self._reader.get(self.task.task_id)
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
        if not self._reports.due(self._clock.now()):
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

    def once(self, key: str, call: Callable[[str], Any], *, unknown: "Unknown" = "fail") -> Any:
        """Return the answer of an outside effect, which happens at most once for the task."""
        from tandem.tasks.effects import NotHeld

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
        return self.files.open_upload(upload_id)

    def fetch_upload(self, upload_id: str) -> AbstractContextManager[Path]:
        """Return one of the tenant's uploads as a local file, removed afterwards."""
        return self.files.fetch_upload(upload_id)

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Keep a file as the task's result. A second call replaces the first."""
        return self.files.save_file(name, content, content_type=content_type)
