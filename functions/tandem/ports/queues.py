"""What carries tasks to the worker, and what was given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tandem.domain.ids import TaskId, TenantId

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


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """About how many messages a queue holds."""

    waiting: int
    delayed: int
    """Kept back for now."""
    in_flight: int
    """Received, and neither acknowledged nor visible again."""


class TaskQueue(Protocol):
    """Carries task ids to the worker, at least once each."""

    def send(self, *envelopes: Envelope) -> list[TaskId]:
        """Send tasks to the worker, and return those that could not be sent.

        Raises:
            Exception: whatever the queue's client raises when a call failed as a whole.
        """
        ...

    def depth(self) -> QueueDepth:
        """Return about how many messages there are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as it was received."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    traceparent: str | None = None


class Inbox(Protocol):
    """The worker's side of the queue: what becomes of a message that was received."""

    def acknowledge(self, *receipt_handles: str) -> int:
        """Delete messages that are done with; return how many could not be.

        Raises:
            Exception: whatever the queue's client raises when a call failed as a whole.
        """
        ...

    def postpone(self, receipt_handle: str, delay: timedelta) -> None:
        """Hide the message for this long: it is then delivered again."""
        ...

    def dead_letter(
        self, body: str, *, message_id: str, reason: str, error: str, task_id: TaskId | None
    ) -> None:
        """Send a copy of the message to the dead-letter queue, saying why."""
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

    def count(self) -> int:
        """Return about how many letters there are."""
        ...

    def put_back(self, letter: DeadLetter) -> None:
        """Show a hidden letter to other readers again."""
        ...

    def remove(self, letter: DeadLetter) -> None:
        """Remove a letter for good."""
        ...
