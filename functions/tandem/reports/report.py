"""The report of one minute's processing."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from tandem.reports.counts import Counts, Series, difference, merged, tasks_in
from tandem.reports.sink import SinkState
from tandem.reports.talkers import Talker
from tandem.reports.tally import Durations, Example, Tally
from tandem.reports.window import Window

TOP_TENANTS = 10
"""How many tenants a report names."""

MOST_EXAMPLES = 100
"""How many tasks a report names: an id and a trace cannot be compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What was in flight when a window was closed. The queue's numbers are approximate.

    None stands for what could not be read.
    """

    waiting: int | None
    """Messages that wait for the worker."""
    delayed: int | None
    """Messages that the queue keeps back: of retries, and of tasks that are to run later."""
    in_flight: int | None
    """Messages that the worker has."""
    dead_letters: int | None
    oldest_waiting_seconds: float | None
    """How long the oldest queued task waits. 0 when none does."""
    swept: int | None
    """How many tasks this run found overdue."""

    @property
    def complete(self) -> bool:
        """Whether all that is read of the table and the queues could be read."""
        read = (self.waiting, self.dead_letters, self.oldest_waiting_seconds)
        return all(level is not None for level in read)


@dataclass(frozen=True, slots=True)
class Report:
    """What finished in one window."""

    window: Window
    closed_at: datetime
    counts: Counts
    """Of the window itself, and of what came late."""
    durations: dict[str, Durations]
    """By processor, of the window itself."""
    tenants: tuple[Talker, ...] = ()
    """Those with most tasks in the window itself."""
    levels: Levels | None = None
    """None of a window that was closed later than it might have been."""
    examples: dict[Series, Example] = field(default_factory=dict)
    """Of each series of the window itself, the task that ran longest. At most `MOST_EXAMPLES`."""
    late: dict[Window, Counts] = field(default_factory=dict)
    """What finished in earlier windows and was not there yet when they were closed."""
    sinks: tuple[SinkState, ...] | None = None
    """How those that reports are sent to stood before this one. None where the levels are."""

    @property
    def own(self) -> Counts:
        """What was counted of the window itself."""
        counts = self.counts
        for missed in self.late.values():
            counts = difference(counts, missed)
        return counts

    @property
    def tasks(self) -> int:
        """How many tasks it counts."""
        return tasks_in(self.counts)

    @property
    def late_tasks(self) -> int:
        """How many of them came late."""
        return sum(tasks_in(missed) for missed in self.late.values())

    def with_late(self, late: "dict[Window, Counts]") -> "Report":
        """Return the report with what came late counted in it."""
        counts = self.counts
        for missed in late.values():
            counts = merged(counts, missed)
        return replace(self, counts=counts, late=late)


@dataclass(frozen=True, slots=True)
class Totals:
    """What finished in all closed windows up to and with the last one."""

    since: Window
    """The first window that was ever closed."""
    closed_through: Window
    counts: Counts

    @staticmethod
    def of(report: Report) -> "Totals":
        """Return the totals of the first window."""
        return Totals(report.window, report.window, report.counts)

    def including(self, report: Report) -> "Totals":
        """Return the totals with one more window."""
        return Totals(self.since, report.window, merged(self.counts, report.counts))


def compile_report(window: Window, tally: Tally, closed_at: datetime) -> Report:
    """Return the report of a window over the tasks that finished in it."""
    return Report(
        window,
        closed_at,
        tally.counts(),
        tally.durations(),
        tally.talkers.most(TOP_TENANTS),
        examples=tally.examples(MOST_EXAMPLES),
    )


def counted_of(window: Window, closed: "Iterable[Report]") -> Counts:
    """Return what is in the reports of a closed window.

    Args:
        window: the window.
        closed: its own report and all that were closed after it.
    """
    counted: Counts = {}
    for report in closed:
        if report.window == window:
            counted = merged(counted, report.own)
        counted = merged(counted, report.late.get(window, {}))
    return counted
