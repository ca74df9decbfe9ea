"""What one minute's processing is reported as."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tandem.domain.clock import to_text
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import Mode, State

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


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest-rank percentiles of a duration, in seconds."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(seconds: list[float]) -> "Percentiles | None":
        """Return the percentiles of these durations; None when there are none."""
        if not seconds:
            return None
        ranked = sorted(seconds)

        def rank(percent: int) -> float:
            return ranked[-(-len(ranked) * percent // 100) - 1]

        return Percentiles(rank(50), rank(95), rank(99))


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

    def __add__(self, other: "Count") -> "Count":
        """Return both together."""
        return Count(self.tasks + other.tasks, self.attempts + other.attempts)


Counts = dict[Series, Count]


@dataclass(frozen=True, slots=True)
class Durations:
    """How long tasks waited and ran; None where no task did."""

    queue_wait: Percentiles | None
    run: Percentiles | None


@dataclass(frozen=True, slots=True)
class Report:
    """What finished in one window."""

    window: Window
    closed_at: datetime
    counts: Counts
    durations: dict[str, Durations]
    """By processor."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What finished in all closed windows up to and with the last one."""

    closed_through: Window
    counts: Counts

    def including(self, report: Report) -> "Totals":
        """Return the totals with one more window."""
        return Totals(report.window, merged(self.counts, report.counts))


def merged(first: Counts, second: Counts) -> Counts:
    """Return the sum of both, series by series."""
    return {
        series: first.get(series, Count()) + second.get(series, Count())
        for series in sorted(first.keys() | second.keys())
    }


def compile_report(window: Window, finished: Iterable[FinishedTask], closed_at: datetime) -> Report:
    """Return the report of a window over the tasks that finished in it."""
    counts: Counts = {}
    waits: dict[str, list[float]] = {}
    runs: dict[str, list[float]] = {}
    for task in finished:
        series = Series(task.processor, task.mode, task.outcome)
        counts[series] = counts.get(series, Count()) + Count(1, task.attempts)
        if task.queue_wait_seconds is not None:
            waits.setdefault(task.processor, []).append(task.queue_wait_seconds)
        if task.run_seconds is not None:
            runs.setdefault(task.processor, []).append(task.run_seconds)
    return Report(
        window,
        closed_at,
        dict(sorted(counts.items())),
        {
            processor: Durations(
                Percentiles.of(waits.get(processor, [])), Percentiles.of(runs.get(processor, []))
            )
            for processor in sorted({series.processor for series in counts})
        },
    )


def windows_to_close(
    last_closed: Window | None, now: datetime, *, grace: timedelta, most: int, first_run_reach: int
) -> Iterator[Window]:
    """Yield the windows that are over but not closed, oldest first.

    Args:
        last_closed: the last closed window; None on the first run ever, which then reaches back
            `first_run_reach` windows, so that what was done before the first tick is counted.
        now: the time.
        grace: how long after its end a window is left open for writes on their way.
        most: how many windows at the most; the next run goes on from there.
        first_run_reach: how many windows the first run closes.
    """
    newest = Window.holding(now - grace).plus(-1)
    window = last_closed.plus(1) if last_closed else newest.plus(1 - first_run_reach)
    for _ in range(most):
        if window > newest:
            return
        yield window
        window = window.plus(1)
