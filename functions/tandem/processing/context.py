"""What a running processor may ask of Tandem."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pydantic import BaseModel


class Abandoned(Exception):
    """The attempt no longer holds its task: whatever it still does has no effect."""


class SavedFile(BaseModel):
    """A file that is the result of a task, for the processor's output model."""

    name: str
    content_type: str
    size_bytes: int


class Logger(Protocol):
    """The part of a logger that a processor uses; keyword arguments become fields."""

    def info(self, msg: object, **fields: Any) -> None:
        """Log what happened."""
        ...

    def error(self, msg: object, **fields: Any) -> None:
        """Log what went wrong."""
        ...

    def warning(self, msg: object, **fields: Any) -> None:
        """Log what should be looked at."""
        ...


class Pool(Protocol):
    """The bounded threads of this execution environment."""

    @property
    def size(self) -> int:
        """How many threads there are."""
        ...

    def map[T, R](self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the work's results for the items, in their order, on the free threads."""
        ...


class TaskContext(Protocol):
    """What a processor is given beside its input."""

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        ...

    @property
    def deadline(self) -> datetime:
        """When the attempt is given up."""
        ...

    @property
    def logger(self) -> Logger:
        """A logger whose lines carry the task's id. Never log input with it."""
        ...

    @property
    def pool(self) -> Pool:
        """Threads for parallel work inside the task."""
        ...

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Say how far the work is; written at most once a second.

        Raises:
            Abandoned: the attempt no longer holds its task.
        """
        ...

    def check_cancelled(self) -> None:
        """Return when the work should go on.

        Raises:
            Abandoned: it should not: its time is up, or the task is another's by now.
        """
        ...

    def open_upload(self, upload_id: str) -> AbstractContextManager[BinaryIO]:
        """Return a stream over one of the tenant's uploads, read as it arrives.

        Raises:
            Permanent: the tenant has no such upload.
        """
        ...

    def fetch_upload(self, upload_id: str) -> AbstractContextManager[Path]:
        """Return one of the tenant's uploads as a local file, removed afterwards.

        The file keeps the suffix of the name that it was uploaded under.

        Raises:
            Permanent: the tenant has no such upload.
        """
        ...

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Keep a file as the task's result; a second call replaces the first."""
        ...
