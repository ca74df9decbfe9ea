"""How a task's end is told to its owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tandem.domain.callback import Callback, WaitingCallback
from tandem.domain.callback_url import CallbackUrl
from tandem.domain.ids import TaskId


class CallbackStore(Protocol):
    """Keeps how far the callbacks of tasks are, with the tasks."""

    @property
    def shards(self) -> int:
        """How many parts the index of waiting callbacks has."""
        ...

    def waiting(self, shard: int, before: datetime, *, limit: int) -> list[WaitingCallback]:
        """Return up to `limit` callbacks of a part that the queue was not given, oldest first.

        They are those of tasks that ended before the given time.
        """
        ...

    def handed_over(self, task_id: TaskId) -> None:
        """Record that the queue has a task's callback: it waits no more."""
        ...

    def record(self, task_id: TaskId, callback: Callback) -> None:
        """Record how far a final task's callback is; one that is delivered stays so.

        It waits no more: whoever records this has its message.
        """
        ...

    def reopen(self, task_id: TaskId, callback: Callback) -> None:
        """As `record`, but the callback waits for the queue again."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """A receiver's answer."""

    status: int
    retry_after: str | None = None


class Unreachable(Exception):
    """The receiver did not answer; the message says why."""


class AddressForbidden(Exception):
    """The receiver's name has an address that callbacks are not sent to; the message says which."""


class CallbackSender(Protocol):
    """Sends callbacks."""

    def post(self, url: CallbackUrl, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send one POST and return its answer, whatever its status.

        Raises:
            AddressForbidden: nothing was sent.
            Unreachable: there was no answer, or none in time.
        """
        ...
