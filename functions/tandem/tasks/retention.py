"""The retention of finished tasks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tandem.tasks.task import Task

LEAST = timedelta(days=1)
"""How long a task is kept after its end, however late that is."""


@dataclass(frozen=True, slots=True)
class Retention:
    """The same for all tasks."""

    period: timedelta

    def expiry(self, task: Task, finished_at: datetime) -> datetime:
        """Return from when a task that finished then may be forgotten, to the second.

        It counts from the submission: the bucket's lifecycle deletes what a task keeps there so
        long after it was stored, and an input is stored at the submission (template.yaml).
        """
        return max(task.created_at + self.period, finished_at + LEAST).replace(microsecond=0)
