"""Report windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tandem.clock import to_text

WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One UTC minute, closed at its start and open at its end."""

    start: datetime

    @staticmethod
    def holding(moment: datetime) -> "Window":
        """Return the window that a moment falls in."""
        return Window(moment.astimezone(UTC).replace(second=0, microsecond=0))

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.start + WINDOW

    @property
    def name(self) -> str:
        """Its start, as `2026-11-22T20:45Z`."""
        return to_text(self.start)[:16] + "Z"

    def plus(self, windows: int) -> "Window":
        """Return the window so many minutes later, or earlier when negative."""
        return Window(self.start + windows * WINDOW)

    @staticmethod
    def named(name: str) -> "Window":
        """Return the window of that name."""
        return Window(datetime.fromisoformat(name))


def windows_to_close(
    last_closed: Window | None, now: datetime, *, grace: timedelta, most: int, first_run_reach: int
) -> Iterator[Window]:
    """Yield the windows that are over but not closed, oldest first.

    Args:
        last_closed: the last closed window. None on the first run ever, which then reaches back
            `first_run_reach` windows, so that what was done before the first tick is counted.
        now: the time.
        grace: how long after its end a window is left open for writes on their way.
        most: how many windows at the most. The next run goes on from there.
        first_run_reach: how many windows the first run closes.
    """
    newest = Window.holding(now - grace).plus(-1)
    window = last_closed.plus(1) if last_closed else newest.plus(1 - first_run_reach)
    for _ in range(most):
        if window > newest:
            return
        yield window
        window = window.plus(1)
