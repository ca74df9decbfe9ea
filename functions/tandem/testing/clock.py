"""A clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta

from tandem.domain.clock import whole_milliseconds


class FakeClock:
    """Tells the time that a test set."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self._now = whole_milliseconds(start)

    def now(self) -> datetime:
        """Return the time that was set."""
        return self._now

    def advance(self, by: timedelta | float) -> datetime:
        """Move the time on by a duration, or by seconds, and return it."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self._now = whole_milliseconds(self._now + step)
        return self._now
