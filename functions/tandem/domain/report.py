"""What one minute's processing is reported as."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from tandem.domain.counts import Counts, FinishedTask, count, difference, merged
from tandem.domain.window import Window


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
    """Of the window itself, and of what came late."""
    durations: dict[str, Durations]
    """By processor, of the window itself."""
    late: dict[Window, Counts] = field(default_factory=dict)
    """What finished in earlier windows and was not there yet when they were closed."""

    @property
    def own(self) -> Counts:
        """What was counted of the window itself."""
        counts = self.counts
        for missed in self.late.values():
            counts = difference(counts, missed)
        return counts

    def with_late(self, late: "dict[Window, Counts]") -> "Report":
        """Return the report with what came late counted in it."""
        counts = self.counts
        for missed in late.values():
            counts = merged(counts, missed)
        return replace(self, counts=counts, late=late)


@dataclass(frozen=True, slots=True)
class Totals:
    """What finished in all closed windows up to and with the last one."""

    closed_through: Window
    counts: Counts

    def including(self, report: Report) -> "Totals":
        """Return the totals with one more window."""
        return Totals(report.window, merged(self.counts, report.counts))


def compile_report(window: Window, finished: Iterable[FinishedTask], closed_at: datetime) -> Report:
    """Return the report of a window over the tasks that finished in it."""
    tasks = list(finished)
    waits: dict[str, list[float]] = {}
    runs: dict[str, list[float]] = {}
    for task in tasks:
        if task.queue_wait_seconds is not None:
            waits.setdefault(task.processor, []).append(task.queue_wait_seconds)
        if task.run_seconds is not None:
            runs.setdefault(task.processor, []).append(task.run_seconds)
    counts = count(tasks)
    return Report(
        window,
        closed_at,
        counts,
        {
            processor: Durations(
                Percentiles.of(waits.get(processor, [])), Percentiles.of(runs.get(processor, []))
            )
            for processor in sorted({series.processor for series in counts})
        },
    )


def late_in(window: Window, seen: Counts, closed: "Iterable[Report]") -> Counts:
    """Return what is seen of a closed window now, and was in no report before.

    Args:
        window: the window.
        seen: what is counted of it now.
        closed: its own report and all that were closed after it.
    """
    counted: Counts = {}
    for report in closed:
        if report.window == window:
            counted = merged(counted, report.own)
        counted = merged(counted, report.late.get(window, {}))
    return difference(seen, counted)
