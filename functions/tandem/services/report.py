"""Closing report windows."""

from collections.abc import Iterator
from datetime import timedelta

from tandem.domain.clock import Clock
from tandem.domain.counts import Counts, count
from tandem.domain.report import Report, Totals, compile_report, late_in
from tandem.domain.window import Window, windows_to_close
from tandem.limits import (
    REPORT_FIRST_REACH,
    REPORT_GRACE,
    REPORT_WINDOWS_AGAIN,
    REPORT_WINDOWS_PER_RUN,
)
from tandem.ports import ReportStore


class Reports:
    """Closes windows, each exactly once, and reads closed ones."""

    def __init__(
        self, store: ReportStore, clock: Clock, *, grace: timedelta = REPORT_GRACE
    ) -> None:
        self._store = store
        self._clock = clock
        self._grace = grace

    def close_due(self) -> Iterator[Report]:
        """Close the windows that are over, oldest first, and yield the report of each.

        Each counts what came late to the windows before it: what finished in them and was not in
        the index yet. What another run closed meanwhile is not yielded: that run has it.
        """
        totals = self._store.totals()
        last = totals.closed_through if totals else None
        for window in windows_to_close(
            last,
            self._clock.now(),
            grace=self._grace,
            most=REPORT_WINDOWS_PER_RUN,
            first_run_reach=REPORT_FIRST_REACH,
        ):
            finished = self._store.finished_in(window)
            report = compile_report(window, finished, self._clock.now())
            report = report.with_late(self._late(window))
            new = totals.including(report) if totals else Totals(window, report.counts)
            if not self._store.close(report, new, previous=last):
                return
            totals, last = new, window
            yield report

    def _late(self, window: Window) -> dict[Window, Counts]:
        """Return what came late to the last closed windows before this one."""
        before = [window.plus(-back) for back in range(1, REPORT_WINDOWS_AGAIN + 1)]
        closed = self._store.reports(before)
        late = {}
        for report in closed:
            seen = count(self._store.finished_in(report.window))
            missed = late_in(report.window, seen, closed)
            if missed:
                late[report.window] = missed
        return late

    def latest(self, *, before: Window | None, limit: int) -> list[Report]:
        """Return up to `limit` closed windows, newest first, from the one before `before` on."""
        totals = self._store.totals()
        if totals is None:
            return []
        newest = totals.closed_through
        if before is not None:
            newest = min(newest, before.plus(-1))
        return self._store.reports([newest.plus(-back) for back in range(limit)])
