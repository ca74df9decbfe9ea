"""The time, as something that a test can set."""

from datetime import UTC, datetime
from time import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time in UTC, to the millisecond."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time in UTC, to the millisecond: what the store keeps."""
        return datetime.fromtimestamp(int(time() * 1000) / 1000, UTC)


def whole_milliseconds(moment: datetime) -> datetime:
    """Return the moment with its microseconds cut to whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_text(moment: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds: of one length, so that it sorts as it reads."""
    # Without its zone a moment is written in a third of the time.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_text(text: str) -> datetime:
    """Return the moment that `to_text` wrote."""
    return datetime.fromisoformat(text)
