"""How long a finished task is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """The same for all tasks."""

    period: timedelta

    def expiry(self, finished_at: datetime) -> datetime:
        """Return from when a task that finished then may be forgotten, to the second."""
        return finished_at.replace(microsecond=0) + self.period
