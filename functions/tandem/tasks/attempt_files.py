"""The files of one attempt: the uploads that it reads, and the one that it keeps."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import BinaryIO

from tandem.files.blobs import BlobMissing, BlobStore, OpenBlob, task_prefix, upload_key
from tandem.files.filename import InvalidFilename, saved_name
from tandem.ids import UploadId, parse_uuid
from tandem.processing.context import SavedFile
from tandem.tasks.outcomes import NoRoomHere
from tandem.tasks.retry import Permanent
from tandem.tasks.task import StoredPayload, Task

_CHUNK_BYTES = 1 << 20
_SUFFIX_CHARACTERS = 32


class AttemptFiles:
    """Reads uploads of the task's tenant, and keeps a file as the task's result."""

    def __init__(
        self,
        task: Task,
        blobs: BlobStore,
        *,
        check_size: Callable[[int], None],
        check_cancelled: Callable[[], None],
        in_api: bool,
    ) -> None:
        """Serve the attempt that holds a task.

        Args:
            task: the task as claimed.
            blobs: where uploads and results are.
            check_size: raises where the opened uploads are too large in all, in bytes.
            check_cancelled: raises Abandoned when the work should not go on.
            in_api: whether the API runs it: the worker may have the disk that this process has not.
        """
        self._task = task
        self._blobs = blobs
        self._check_size = check_size
        self._check_cancelled = check_cancelled
        self._in_api = in_api
        self._lock = Lock()
        self._upload_bytes: dict[UploadId, int] = {}
        self.uploads_read: dict[UploadId, set[str]] = {}
        """Which versions of which uploads were opened: a file may be replaced at any time."""
        self.saved: StoredPayload | None = None
        """The file that is the task's result."""

    @contextmanager
    def open_upload(self, upload_id: str) -> Iterator[BinaryIO]:
        """Return a stream over an upload, read as it arrives."""
        with self._opened(upload_id) as blob:
            yield blob.stream

    @contextmanager
    def fetch_upload(self, upload_id: str) -> Iterator[Path]:
        """Return an upload as a local file, removed afterwards."""
        with TemporaryDirectory(prefix="upload-") as folder:
            with self._opened(upload_id) as source:
                self._check_disk(source.info.size_bytes, Path(folder))
                path = Path(folder, "upload" + _suffix(source.info.filename))
                with path.open("wb") as target:
                    while chunk := source.stream.read(_CHUNK_BYTES):
                        self._check_cancelled()
                        target.write(chunk)
            yield path

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Keep a file as the task's result. A second call replaces the first."""
        try:
            safe = saved_name(name)
        except InvalidFilename as error:
            raise Permanent(str(error)) from None
        key = f"{task_prefix(self._task.task_id)}{self._task.attempts}/files/{safe}"
        size = self._blobs.put(key, content, content_type=content_type)
        self.saved = StoredPayload(key, size)
        return SavedFile(name=safe, content_type=content_type, size_bytes=size)

    @contextmanager
    def _opened(self, upload_id: str) -> Iterator[OpenBlob]:
        known = parse_uuid(upload_id)
        if known is None:
            raise _no_upload(upload_id)
        key = upload_key(self._task.tenant, UploadId(known))
        with ExitStack() as stack:
            try:
                blob = stack.enter_context(self._blobs.open(key))
            except BlobMissing:
                raise _no_upload(upload_id) from None
            with self._lock:
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
        if self._in_api:
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
