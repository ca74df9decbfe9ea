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
from tandem.domain.task import DueTask, State, Task


class TaskExists(Exception):
    """A task of this id is recorded already."""


@dataclass(frozen=True, slots=True)
class Once:
    """A caller's idempotency key: what was made under it is made once."""

    key: str
    """Names the caller's tenant and key."""
    fingerprint: str
    """Of the request; the same key with another request is a mistake."""
    now: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MadeBefore:
    """What a key was used for."""

    fingerprint: str
    made: str
    """The id of what was made."""


class KeyUsed(Exception):
    """The idempotency key was used before; nothing was recorded."""

    def __init__(self, before: MadeBefore) -> None:
        super().__init__(before.made)
        self.before = before


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

    def put(self, task: Task, *, once: Once | None = None) -> None:
        """Record a new task, and with it, in the same step, the key that it is made under.

        Raises:
            TaskExists: its id is taken.
            KeyUsed: something was made under the key before, and it has not expired.
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

    def claim_key(self, once: Once, made: str) -> None:
        """Record a key for something that is not a task.

        Raises:
            KeyUsed: something was made under the key before, and it has not expired.
        """
        ...

    @property
    def shards(self) -> int:
        """How many parts the index of due times has."""
        ...

    def overdue(self, shard: int, now: datetime, *, limit: int) -> list[DueTask]:
        """Return up to `limit` tasks of a part that are in flight and due, longest due first."""
        ...

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, from the cursor on.

        A task can show up a moment after it was written. A cursor that no listing gave starts
        somewhere, and never shows another tenant's task.
        """
        ...


class QuotaStore(Protocol):
    """Keeps how much of its quota each tenant has used: a token bucket that all callers share."""

    def take(
        self, tenant: TenantId, tokens: int, *, per_second: float, burst: int, now: datetime
    ) -> timedelta | None:
        """Take tokens from a tenant's bucket.

        Returns None when they were there; else nothing was taken, and they are after this time.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up, and why."""

    letter_id: str
    receipt_handle: str
    body: str
    reason: str
    error: str
    task_id: TaskId | None
    sent_at: datetime


class DeadLetterBox(Protocol):
    """The dead letters."""

    def look(self, limit: int, *, hide: timedelta) -> list[DeadLetter]:
        """Return up to `limit` dead letters, hidden from other readers for this long.

        With no time to hide them nothing is taken from anyone. A queue shows a sample: of many
        letters, not all are returned.
        """
        ...

    def put_back(self, letter: DeadLetter) -> None:
        """Show a hidden letter to other readers again."""
        ...

    def remove(self, letter: DeadLetter) -> None:
        """Remove a letter for good."""
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


MAX_DELAY = timedelta(minutes=15)
"""The longest that a queue may keep a message back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A task on its way to the worker."""

    task_id: TaskId
    tenant: TenantId
    traceparent: str | None = None
    delay: timedelta = timedelta(0)
    """How long the queue keeps it back: up to `MAX_DELAY`."""


class TaskQueue(Protocol):
    """Carries task ids to the worker, at least once each."""

    def send(self, *envelopes: Envelope) -> list[TaskId]:
        """Send tasks to the worker, and return those that could not be sent.

        Raises:
            Exception: whatever the queue's client raises when a call failed as a whole.
        """
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
