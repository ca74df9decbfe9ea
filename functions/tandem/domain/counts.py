"""What reports count: finished tasks, by processor, mode and outcome."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import Mode, State


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTask:
    """What a report needs to know of a finished task."""

    task_id: TaskId
    tenant: TenantId
    processor: str
    mode: Mode
    outcome: State
    attempts: int
    sweeps: int = 0
    cached: bool = False
    created_at: datetime
    started_at: datetime | None
    attempt_started_at: datetime | None
    finished_at: datetime

    @property
    def queue_wait_seconds(self) -> float | None:
        """From its submission to its first attempt; None when none started."""
        if self.started_at is None:
            return None
        return (self.started_at - self.created_at).total_seconds()

    @property
    def run_seconds(self) -> float | None:
        """How long its last attempt ran; None when none started."""
        if self.attempt_started_at is None:
            return None
        return (self.finished_at - self.attempt_started_at).total_seconds()


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What is counted apart: a processor, how it was asked for, and how it ended."""

    processor: str
    mode: Mode
    outcome: State


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a series."""

    tasks: int = 0
    attempts: int = 0
    cached: int = 0
    """Of the tasks, those that a kept result answered."""
    sweeps: int = 0
    """How often the tasks were found overdue on their way."""

    def __add__(self, other: "Count") -> "Count":
        """Return both together."""
        return Count(
            self.tasks + other.tasks,
            self.attempts + other.attempts,
            self.cached + other.cached,
            self.sweeps + other.sweeps,
        )

    def __sub__(self, other: "Count") -> "Count":
        """Return what is left of this one."""
        return Count(
            self.tasks - other.tasks,
            self.attempts - other.attempts,
            self.cached - other.cached,
            self.sweeps - other.sweeps,
        )


Counts = dict[Series, Count]


def count(finished: "Iterable[FinishedTask]") -> Counts:
    """Return how many tasks there are of each series."""
    counts: Counts = {}
    for task in finished:
        series = Series(task.processor, task.mode, task.outcome)
        counts[series] = counts.get(series, Count()) + Count(
            1, task.attempts, int(task.cached), task.sweeps
        )
    return dict(sorted(counts.items()))


def merged(first: Counts, second: Counts) -> Counts:
    """Return the sum of both, series by series."""
    return {
        series: first.get(series, Count()) + second.get(series, Count())
        for series in sorted(first.keys() | second.keys())
    }


def difference(first: Counts, second: Counts) -> Counts:
    """Return the first less the second, series by series, without those that are nothing."""
    counts = {
        series: first.get(series, Count()) - second.get(series, Count())
        for series in sorted(first.keys() | second.keys())
    }
    return {series: count for series, count in counts.items() if count != Count()}
