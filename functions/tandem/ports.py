"""What the services need from the outside, as Protocols that adapters and fakes implement."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from tandem.domain.changes import Change
from tandem.domain.ids import TaskId, TenantId, UploadId
from tandem.domain.report import FinishedTask, Report, Totals, Window
from tandem.domain.task import State, Task


class TaskExists(Exception):
    """A task of this id is recorded already."""


class ChangeRefused(Exception):
    """The task is not in a state that allows the change."""

    def __init__(self, task: Task | None) -> None:
        super().__init__(task.state if task else "no such task")
        self.task = task
        """The task as it is; None when there is none of that id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which of a tenant's tasks a listing shows."""

    state: State | None = None
    processor: str | None = None

    def matches(self, task: Task) -> bool:
        """Return whether the task is one of them."""
        return self.state in (None, task.state) and self.processor in (None, task.processor)


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of a listing: tasks without their input and output."""

    tasks: list[Task]
    next_cursor: str | None
    """Where the next page starts; None after the last one."""


class TaskStore(Protocol):
    """Keeps tasks. Each call is one atomic step."""

    def put(self, task: Task) -> None:
        """Record a new task.

        Raises:
            TaskExists: its id is taken.
        """
        ...

    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is.

        Raises:
            ChangeRefused: none of the change's guards holds, or there is no such task.
        """
        ...

    def get(self, task_id: TaskId) -> Task | None:
        """Return the task as last written, or None."""
        ...

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, from the cursor on.

        A task can show up a moment after it was written. A cursor that no listing gave starts
        somewhere, and never shows another tenant's task.
        """
        ...


class ReportStore(Protocol):
    """Keeps the closed report windows and the running totals."""

    def finished_in(self, window: Window) -> Iterator[FinishedTask]:
        """Yield every task that finished in the window, in no order."""
        ...

    def totals(self) -> Totals | None:
        """Return the totals over all closed windows; None before the first was closed."""
        ...

    def close(self, report: Report, totals: Totals, *, previous: Window | None) -> bool:
        """Record a window's report and the new totals, both or neither.

        Returns whether it did: False when the window is closed already, or when `previous` is
        not the last closed window any more.
        """
        ...

    def reports(self, windows: list[Window]) -> list[Report]:
        """Return the closed ones of these windows, newest first."""
        ...


class TaskQueue(Protocol):
    """Carries task ids to the worker, at least once each."""

    def send(self, task_id: TaskId, tenant: TenantId, *, traceparent: str | None) -> None:
        """Send a task to the worker."""
        ...


class Inbox(Protocol):
    """The worker's side of the queue: what becomes of a message that was received."""

    def postpone(self, receipt_handle: str, delay: timedelta) -> None:
        """Hide the message for this long: it is then delivered again."""
        ...

    def dead_letter(
        self, body: str, *, message_id: str, reason: str, error: str, task_id: TaskId | None
    ) -> None:
        """Send a copy of the message to the dead-letter queue, saying why."""
        ...


class BlobMissing(Exception):
    """There is no such document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """What is known of a document without reading it."""

    key: str
    size_bytes: int
    content_type: str
    filename: str
    etag: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that a client posts a file with, straight to the blob store."""

    url: str
    fields: dict[str, str]


class BlobStore(Protocol):
    """Keeps documents that are too large for the task store."""

    def put(self, key: str, content: bytes | Path, *, content_type: str) -> int:
        """Store a document, from memory or from a file, and return its size in bytes."""
        ...

    def get(self, key: str) -> bytes:
        """Return a document.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Return a stream over a document, read as it arrives.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def info(self, key: str) -> BlobInfo:
        """Return what is known of a document.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def upload_form(
        self, key: str, *, filename: str, content_type: str, max_bytes: int, lifetime: timedelta
    ) -> UploadForm:
        """Return a form that stores one document of that type and at most that size."""
        ...

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        """Return a URL that reads the document without any other credential."""
        ...


def upload_key(tenant: TenantId, upload_id: UploadId) -> str:
    """Return where an upload lies: under its tenant, so that no other can name it."""
    return f"uploads/{tenant}/{upload_id}"
