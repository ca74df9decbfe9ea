"""Counting finished tasks as they stream by."""

from collections.abc import Iterable
from dataclasses import dataclass

from tandem.ids import TaskId
from tandem.reports.counts import NUMBERS, Count, Counts, FinishedTask, Series
from tandem.reports.histogram import HistogramTally, Sketch
from tandem.reports.talkers import Talkers


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest-rank percentiles of a duration in seconds, within `histogram.RELATIVE_ERROR`."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(sketch: Sketch) -> "Percentiles | None":
        """Return the percentiles of a sketch. None when nothing was counted."""
        found = [sketch.percentile_ms(percent) for percent in (50, 95, 99)]
        p50, p95, p99 = ((value or 0.0) / 1000 for value in found)
        return None if found[0] is None else Percentiles(p50, p95, p99)


@dataclass(frozen=True, slots=True)
class Durations:
    """How long tasks waited and ran. None where no task did."""

    queue_wait: Percentiles | None
    run: Percentiles | None


@dataclass(frozen=True, slots=True)
class Example:
    """One of a series' tasks: the one that ran longest."""

    task_id: TaskId
    traceparent: str | None
    run_seconds: float


class Tally:
    """Counts of finished tasks, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self.talkers = Talkers()
        self._series: dict[Series, _Sums] = {}
        self._sketches: dict[str, tuple[Sketch, Sketch]] = {}

    @staticmethod
    def of(finished: Iterable[FinishedTask]) -> "Tally":
        """Return the tally of these tasks."""
        tally = Tally()
        for task in finished:
            tally.add(task)
        return tally

    def add(self, task: FinishedTask) -> None:
        """Count one task."""
        series = Series(task.processor, task.mode, task.outcome)
        sums = self._series.get(series)
        if sums is None:
            sums = self._series[series] = _Sums()
        sums.add(task)
        waits, runs = self._sketches_of(task.processor)
        wait_ms, run_ms = task.queue_wait_ms, task.run_ms
        if wait_ms is not None:
            sums.queue_wait.add(wait_ms)
            waits.add(wait_ms)
        if run_ms is not None:
            sums.run.add(run_ms)
            if run_ms >= sums.longest_ms:
                sums.longest_ms, sums.longest_task = run_ms, task
            runs.add(run_ms)
        self.talkers.add(task.tenant)

    def include(self, other: "Tally") -> None:
        """Count what another tally counted."""
        for series, sums in other._series.items():  # noqa: SLF001 - of its own class
            self._series.setdefault(series, _Sums()).include(sums)
        for processor, theirs in other._sketches.items():  # noqa: SLF001
            for sketch, more in zip(self._sketches_of(processor), theirs, strict=True):
                sketch.include(more)
        self.talkers.include(other.talkers)

    def examples(self, most: int) -> dict[Series, Example]:
        """Return the task of each series that ran longest. None where no task ran.

        Of more series than `most`, those whose tasks ran longest.
        """
        found = {
            series: sums.longest
            for series, sums in self._series.items()
            if sums.longest is not None
        }
        ranked = sorted(found, key=lambda series: (-found[series].run_seconds, series))
        return {series: found[series] for series in sorted(ranked[:most])}

    def counts(self) -> Counts:
        """Return what was counted, series by series."""
        return {series: sums.frozen() for series, sums in sorted(self._series.items())}

    def durations(self) -> dict[str, Durations]:
        """Return how long each processor's tasks waited and ran."""
        return {
            processor: Durations(Percentiles.of(waits), Percentiles.of(runs))
            for processor, (waits, runs) in sorted(self._sketches.items())
        }

    def _sketches_of(self, processor: str) -> tuple[Sketch, Sketch]:
        found = self._sketches.get(processor)
        if found is None:
            found = self._sketches[processor] = (Sketch(), Sketch())
        return found


class _Sums:
    """A count while it is counted."""

    __slots__ = ("longest_ms", "longest_task", "numbers", "queue_wait", "run")

    def __init__(self) -> None:
        self.numbers = [0] * len(NUMBERS)
        self.queue_wait = HistogramTally()
        self.run = HistogramTally()
        self.longest_ms = 0
        self.longest_task: FinishedTask | None = None

    def add(self, task: FinishedTask) -> None:
        numbers = self.numbers
        numbers[0] += 1
        numbers[1] += task.attempts
        if task.attempts > 1:
            numbers[2] += task.retries
        if task.own_fault:
            numbers[3] += task.faulted
        numbers[4] += task.cached
        numbers[5] += task.sweeps
        numbers[6] += task.bytes_in
        numbers[7] += task.bytes_out

    def include(self, other: "_Sums") -> None:
        self.numbers = [mine + more for mine, more in zip(self.numbers, other.numbers, strict=True)]
        self.queue_wait.include(other.queue_wait)
        self.run.include(other.run)
        if other.longest_task is not None and other.longest_ms >= self.longest_ms:
            self.longest_ms, self.longest_task = other.longest_ms, other.longest_task

    @property
    def longest(self) -> Example | None:
        task = self.longest_task
        if task is None:
            return None
        return Example(task.task_id, task.traceparent, self.longest_ms / 1000)

    def frozen(self) -> Count:
        return Count.of(self.numbers, self.queue_wait.frozen(), self.run.frozen())
