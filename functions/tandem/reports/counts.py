"""Counts of finished tasks, by processor, mode and outcome."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import add, attrgetter, sub

from tandem.ids import TaskId, TenantId
from tandem.reports.histogram import Histogram
from tandem.tasks.task import Mode, State

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTask:
    """What a report needs to know of a finished task."""

    task_id: TaskId
    tenant: TenantId
    processor: str
    mode: Mode
    outcome: State
    attempts: int
    uncounted: int = 0
    """How many of its attempts did not count, such as one that was handed back."""
    own_fault: bool = False
    """Whether it failed, and not by a fault of its caller's."""
    sweeps: int = 0
    cached: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    traceparent: str | None = None
    created_at: datetime
    started_at: datetime | None
    attempt_started_at: datetime | None
    finished_at: datetime

    @property
    def retries(self) -> int:
        """How many of its attempts that counted came after the first of these."""
        return max(self.attempts - 1 - self.uncounted, 0)

    @property
    def faulted(self) -> bool:
        """Whether it failed by a fault that is not its caller's."""
        return self.own_fault and self.outcome is State.FAILED

    @property
    def queue_wait_ms(self) -> int | None:
        """From its submission to its first attempt. None when none started.

        Clocks of two functions may differ: never less than nothing.
        """
        if self.started_at is None:
            return None
        return max((self.started_at - self.created_at) // _MILLISECOND, 0)

    @property
    def run_ms(self) -> int | None:
        """How long its last attempt ran. None when none started."""
        if self.attempt_started_at is None:
            return None
        return max((self.finished_at - self.attempt_started_at) // _MILLISECOND, 0)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What is counted apart: a processor, how it was asked for, and how it ended."""

    processor: str
    mode: Mode
    outcome: State


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a series. Every part can be added and taken away exactly."""

    tasks: int = 0
    attempts: int = 0
    retries: int = 0
    """Of the attempts that counted, those after a task's first."""
    faults: int = 0
    """Of the tasks, those that failed by a fault that is not their caller's."""
    cached: int = 0
    """Of the tasks, those that a kept result answered."""
    sweeps: int = 0
    """How often the tasks were found overdue on their way."""
    bytes_in: int = 0
    bytes_out: int = 0
    queue_wait: Histogram = field(default_factory=Histogram)
    run: Histogram = field(default_factory=Histogram)

    @staticmethod
    def of(numbers: Iterable[int], queue_wait: Histogram, run: Histogram) -> "Count":
        """Return the count of these numbers, in the order of `NUMBERS`."""
        named = dict(zip(NUMBERS, numbers, strict=True))
        return Count(**named, queue_wait=queue_wait, run=run)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its numbers, in the order of `NUMBERS`."""
        return _numbers_of(self)

    def __add__(self, other: "Count") -> "Count":
        """Return both together."""
        numbers = map(add, self.numbers, other.numbers)
        return Count.of(numbers, self.queue_wait + other.queue_wait, self.run + other.run)

    def __sub__(self, other: "Count") -> "Count":
        """Return what is left of this one."""
        numbers = map(sub, self.numbers, other.numbers)
        return Count.of(numbers, self.queue_wait - other.queue_wait, self.run - other.run)


NUMBERS = ("tasks", "attempts", "retries", "faults", "cached", "sweeps", "bytes_in", "bytes_out")
_numbers_of: Callable[[Count], tuple[int, ...]] = attrgetter(*NUMBERS)

Counts = dict[Series, Count]


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


def tasks_in(counts: Counts) -> int:
    """Return how many tasks there are in all series."""
    return sum(count.tasks for count in counts.values())
