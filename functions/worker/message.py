"""A message of a batch."""

from dataclasses import dataclass

from tandem.ports import Delivery
from tandem.services.attempt import Attempt
from tandem.telemetry import logger
from worker.pulse import Pulse


@dataclass(slots=True, eq=False)
class Message:
    """A message of the batch, and the attempt that it has become."""

    delivery: Delivery
    pulse: Pulse
    attempt: Attempt | None = None
    alone: bool = False
    """Whether its task may be started now that must run alone."""

    def started(self, attempt: Attempt) -> None:
        """Note its attempt, and put the task on the log lines of this context."""
        attempt.time_taken = self.pulse.stopwatch()
        logger.thread_safe_append_keys(task_id=attempt.task.task_id)
        self.attempt = attempt
