"""For how long a process stood still."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

_UNNOTICED_SECONDS = 1.0
"""A beat that is late by less says nothing: the process is busy."""


class Pulse:
    """Beats at an even pace, from one thread: what beats much too late did not run meanwhile.

    Code that holds the interpreter's lock stops all others of its process: a regular expression, a
    library in C.
    """

    def __init__(self, pace_seconds: float) -> None:
        self._pace_seconds = pace_seconds
        # One value, so that another thread never sees half of a beat.
        self._last = (monotonic(), 0.0)

    def start(self) -> None:
        """Beat, after a pause in which nobody was to beat."""
        self._last = (monotonic(), self._last[1])

    def beat(self) -> None:
        """Beat, and note how late that is."""
        now = monotonic()
        self._last = (now, self._stood_seconds(now))

    def stopwatch(self) -> Callable[[], timedelta]:
        """Return what tells for how long the process stood still since now."""
        before = self._stood_seconds(monotonic())
        return lambda: timedelta(seconds=self._stood_seconds(monotonic()) - before)

    def _stood_seconds(self, now: float) -> float:
        beat, stood_seconds = self._last
        since_seconds = now - beat
        stands = since_seconds > self._pace_seconds + _UNNOTICED_SECONDS
        return stood_seconds + (since_seconds if stands else 0)
