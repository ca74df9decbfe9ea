"""A message of a batch, and for how long its process stood still."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from time import monotonic

from tandem.messages import Delivery
from tandem.tasks.attempt import Attempt
from tandem.telemetry import logger

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


_TO_BEGIN_SECONDS = 1.0
"""How long the rest of a batch waits for a claim at the most."""


@dataclass(slots=True, eq=False)
class Message:
    """A message of the batch, and the attempt that it has become."""

    delivery: Delivery
    pulse: Pulse
    attempt: Attempt | None = None
    alone: bool = False
    """Whether its task may be started now that must run alone."""
    begun: Event | None = None
    """Set when its attempt has started, where somebody waits for that."""

    def started(self, attempt: Attempt) -> None:
        """Note its attempt, and put the task on the log lines of this context."""
        attempt.time_taken = self.pulse.stopwatch()
        logger.thread_safe_append_keys(task_id=attempt.task.task_id)
        self.attempt = attempt
        if self.begun is not None:
            self.begun.set()

    def wait_until_begun(self, thread: "Future[None]") -> None:
        """Return when its attempt has started, or its thread has ended, or the table is slow."""
        begun = self.begun = Event()
        if self.attempt is None:
            thread.add_done_callback(lambda _: begun.set())
            begun.wait(_TO_BEGIN_SECONDS)
