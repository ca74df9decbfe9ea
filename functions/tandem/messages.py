"""Messages: the queues that carry them, and how one is delivered again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tandem.ids import TaskId, TenantId
from tandem.processing.context import Logger
from tandem.tasks.task import Task
from tandem.trace import described

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
        """Delete messages that are done with. Return how many could not be.

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


SPARE_RECEIVES = 2
"""A message is replaced when it may be received so often still: one replacement may fail."""

_LEAST_REPLACED_WAIT = timedelta(seconds=30)

_SHORTEST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(minutes=15)


class Redeliver(Exception):
    """The message is not done with: the queue must deliver it again."""

    def __init__(self, wait: timedelta | None = None, *, task: Task | None = None) -> None:
        super().__init__(wait)
        self.wait = wait
        """How long the message is to be hidden. None where only trying again can tell."""
        self.task = task
        """The task that waits for this message, if it does."""

    @property
    def by_error(self) -> bool:
        """Whether handling the message failed: what becomes of its task is not known."""
        return self.wait is None and self.task is None

    def wait_for_new(self, delivery: Delivery) -> timedelta:
        """Return how long to hold back a new message that takes this one's place.

        It is not soon: the old one was received again and again, and in vain.
        """
        wait = _growing(delivery) if self.wait is None else self.wait
        return max(wait, _LEAST_REPLACED_WAIT)


def hide(inbox: Inbox, delivery: Delivery, wait: timedelta | None, logger: Logger) -> bool:
    """Hide a message for a while and return whether it could be. Never fails.

    Without this it would stay away for the queue's visibility timeout, which is many minutes.

    Args:
        inbox: the message's queue.
        delivery: the message.
        wait: for how long. None for a short wait that grows with each delivery.
        logger: told when the message could not be hidden.
    """
    try:
        inbox.postpone(delivery.receipt_handle, _growing(delivery) if wait is None else wait)
    except Exception as error:  # noqa: BLE001 - the queue delivers it again all the same
        logger.warning("not postponed", **described(error))
        return False
    return True


def _growing(delivery: Delivery) -> timedelta:
    """Return how long to wait after an error: the first tries are soon, the last ones late.

    The redrive policy takes a message after ten receives: they last longer than half an hour.
    """
    doublings: int = 2 ** min(delivery.receive_count, 20)
    return min(_SHORTEST_WAIT * doublings, _LONGEST_WAIT)
