"""The ports of callbacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tandem.callbacks.callback import Callback, WaitingCallback
from tandem.callbacks.url import CallbackUrl
from tandem.ids import TaskId
from tandem.tasks.store import TaskPage


class CallbackStore(Protocol):
    """Keeps how far the callbacks of tasks are, with the tasks. Each call is one atomic step.

    A call that is made again, since its answer was lost, does what the first one did.
    """

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
        """Record that the queue has a task's callback: it waits no more.

        A callback that was given up meanwhile stays on the list.
        """
        ...

    def record(self, task_id: TaskId, callback: Callback, *, seen: Callback) -> Callback | None:
        """Record how far a final task's callback is, and return it as it then is.

        It waits no more: whoever records this has its message. One that is given up stands on the
        list by this write. When `Callback.may_become` refuses the write, what another wrote is
        returned. None when the task is gone.

        Args:
            task_id: the task.
            callback: what the attempt has led to.
            seen: the callback as it was before the attempt.
        """
        ...

    def reopen(self, task_id: TaskId, callback: Callback) -> bool:
        """Let a callback that was given up wait for the queue again, off the list.

        Returns whether this write did it: False when the callback is not given up, or not any more.
        """
        ...

    def given_up(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """Return up to `limit` tasks whose callbacks were given up, the oldest end first.

        A callback can show up a moment after it was given up. One that has left the list is never
        shown.

        Raises:
            CursorInvalid: no listing gave the cursor.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """A receiver's answer."""

    status: int
    retry_after: str | None = None


class Unreachable(Exception):
    """The receiver did not answer. The message says why."""


class AddressForbidden(Exception):
    """The receiver's name has an address that callbacks are not sent to. The message says which."""


class CallbackSender(Protocol):
    """Sends callbacks."""

    def post(self, url: CallbackUrl, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send one POST and return its answer, whatever its status.

        Raises:
            AddressForbidden: nothing was sent.
            Unreachable: there was no answer, or none in time.
        """
        ...
