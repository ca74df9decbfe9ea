"""The hour that the picture shows: the closed ones of sixty minutes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tandem.reports.report import Levels, Report
from tandem.reports.window import Window
from tandem.tasks.task import State

MINUTES = 60
_CLOSED_WITHIN = 2
"""A minute is closed before the second one after it is over: the picture does not wait for it."""

OUTCOMES = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute. Without a report while it is not closed."""

    window: Window
    report: Report | None

    @property
    def outcomes(self) -> Counter[State]:
        """How many tasks ended in which way, what came late among them."""
        counts = self.report.counts if self.report else {}
        found: Counter[State] = Counter()
        for series, count in counts.items():
            found[series.outcome] += count.tasks
        return found

    @property
    def levels(self) -> Levels | None:
        """What was in flight at its end, where that is known."""
        return self.report.levels if self.report else None

    def p95_seconds(self, processor: str) -> float | None:
        """Return within which time 95 of 100 of a processor's tasks ran. None where none did."""
        durations = self.report.durations.get(processor) if self.report else None
        return durations.run.p95 if durations and durations.run else None


class Hour:
    """The last sixty minutes, oldest first."""

    def __init__(self, closed: Iterable[Report], last: Window) -> None:
        reports = {report.window: report for report in closed}
        windows = [last.plus(number + 1 - MINUTES) for number in range(MINUTES)]
        self.minutes = [Minute(window, reports.get(window)) for window in windows]
        self.start, self.end = windows[0].start, last.end
        self._closed = [minute.report for minute in self.minutes if minute.report is not None]

    @property
    def outcomes(self) -> Counter[State]:
        """How many tasks of the hour ended in which way."""
        return sum((minute.outcomes for minute in self.minutes), Counter())

    @property
    def late(self) -> int:
        """How many of them were counted in a later minute than they ended in."""
        return sum(report.late_tasks for report in self._closed)

    @property
    def open(self) -> int:
        """How many of the minutes are not closed."""
        return MINUTES - len(self._closed)

    @property
    def processors(self) -> list[str]:
        """The processors whose tasks ran, those with most tasks first."""
        tasks: Counter[str] = Counter()
        ran: set[str] = set()
        for report in self._closed:
            for series, count in report.counts.items():
                tasks[series.processor] += count.tasks
            ran |= {name for name, durations in report.durations.items() if durations.run}
        return sorted(ran, key=lambda name: (-tasks[name], name))

    @property
    def levels(self) -> Levels | None:
        """The last levels that are known."""
        known = (minute.levels for minute in reversed(self.minutes))
        return next((levels for levels in known if levels is not None), None)


def last_minute(closed_through: Window, now: datetime) -> Window:
    """Return the minute that the hour ends with.

    The last closed one, as long as closing is on time: after that, minutes that are not closed
    belong into the picture.
    """
    return max(closed_through, Window.holding(now).plus(-1 - _CLOSED_WITHIN))
