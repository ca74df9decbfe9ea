"""Tasks that their owners deleted."""

from dataclasses import dataclass
from datetime import datetime

from tandem.domain.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What is left of a task that its owner deleted: nothing of its content."""

    task_id: TaskId
    deleted_at: datetime
    finished_at: datetime | None
    """When the task had ended; None once no report can count it any more."""
    cache_key: str | None
    """Under which its output may be kept for the same input."""
