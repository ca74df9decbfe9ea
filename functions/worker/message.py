"""A message of a batch."""

from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event

from tandem.ports import Delivery
from tandem.services.attempt import Attempt
from tandem.telemetry import logger
from worker.pulse import Pulse

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
