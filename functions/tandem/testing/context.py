"""A `TaskContext` for tests of a processor."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from tandem.domain.clock import SystemClock
from tandem.domain.filename import InvalidFilename, saved_name
from tandem.domain.retry import Permanent
from tandem.processing.context import Abandoned, Logger, SavedFile
from tandem.processing.pool import BoundedPool


class _FieldLogger:
    """Drops the fields into the message: the standard logger knows none."""

    def info(self, msg: object, **fields: Any) -> None:
        logging.getLogger("processor").info("%s %s", msg, fields)

    def error(self, msg: object, **fields: Any) -> None:
        logging.getLogger("processor").error("%s %s", msg, fields)

    def warning(self, msg: object, **fields: Any) -> None:
        logging.getLogger("processor").warning("%s %s", msg, fields)


class FakeContext:
    r"""Records what a processor asked for.

    Example:
        context = FakeContext(uploads={"orders": ("orders.csv", b"id\n1\n")})
        assert summarize_table.run(Input(upload="orders"), context).rows == 1
    """

    def __init__(
        self,
        *,
        uploads: dict[str, tuple[str, bytes]] | None = None,
        threads: int = 2,
        attempt: int = 1,
    ) -> None:
        self.attempt = attempt
        self.deadline: datetime = SystemClock().now() + timedelta(minutes=1)
        self.logger: Logger = _FieldLogger()
        self.pool = BoundedPool(threads)
        self.cancelled: Callable[[], bool] = lambda: False
        self.progressed: list[tuple[int, int | None, str]] = []
        self.saved: dict[str, bytes] = {}
        self._uploads = uploads or {}

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Record the progress in `progressed`."""
        self.progressed.append((done, total, message))

    def check_cancelled(self) -> None:
        """Raise Abandoned when `cancelled` says so."""
        if self.cancelled():
            raise Abandoned

    @contextmanager
    def open_upload(self, upload_id: str) -> Iterator[BinaryIO]:
        """Return a stream over an upload that the test gave."""
        yield BytesIO(self._upload(upload_id)[1])

    @contextmanager
    def fetch_upload(self, upload_id: str) -> Iterator[Path]:
        """Return an upload that the test gave, as a local file."""
        filename, content = self._upload(upload_id)
        with TemporaryDirectory() as folder:
            path = Path(folder, "upload").with_suffix(Path(filename).suffix)
            path.write_bytes(content)
            yield path

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Record the file in `saved`."""
        try:
            name = saved_name(name)
        except InvalidFilename as error:
            raise Permanent(str(error)) from None
        data = content.read_bytes() if isinstance(content, Path) else content
        self.saved = {name: data}
        return SavedFile(name=name, content_type=content_type, size_bytes=len(data))

    def _upload(self, upload_id: str) -> tuple[str, bytes]:
        try:
            return self._uploads[upload_id]
        except KeyError:
            message = f"there is no upload {upload_id}"
            raise Permanent(message) from None
