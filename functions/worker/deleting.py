"""Deleting the messages that are done with."""

from tandem.ports import Inbox
from tandem.telemetry import logger
from tandem.trace import described


def delete(inbox: Inbox, done: list[str]) -> None:
    """Delete messages, or only log that they were not: the answer deletes them once more."""
    try:
        lost = inbox.acknowledge(*done) if done else 0
    except Exception as error:  # noqa: BLE001 - the answer acknowledges them once more
        logger.warning("not acknowledged", messages=len(done), **described(error))
    else:
        if lost:
            logger.warning("not acknowledged", messages=lost)
