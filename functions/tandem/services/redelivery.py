"""Messages that the queue must deliver again."""

from datetime import timedelta

from tandem.domain.task import Task
from tandem.ports import Delivery, Inbox
from tandem.processing.context import Logger
from tandem.trace import described

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
        """How long the message is to be hidden; None where only trying again can tell."""
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
    """Hide a message for a while and return whether it could be; never fails.

    Without this it would stay away for the queue's visibility timeout, which is many minutes.

    Args:
        inbox: the message's queue.
        delivery: the message.
        wait: for how long; None for a short wait that grows with each delivery.
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
