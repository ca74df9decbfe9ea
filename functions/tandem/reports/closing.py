"""Closing report windows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex

from tandem.clock import Clock
from tandem.limits import (
    REPORT_FIRST_REACH,
    REPORT_GRACE,
    REPORT_WINDOWS_AGAIN,
    REPORT_WINDOWS_PER_RUN,
)
from tandem.processing.pool import BoundedPool
from tandem.reports.counts import Counts, difference, tasks_in
from tandem.reports.ports import ReportStore
from tandem.reports.report import Levels, Report, Totals, compile_report, counted_of
from tandem.reports.sink import SinkState
from tandem.reports.tally import Tally
from tandem.reports.window import Window, windows_to_close


class Reports:
    """Closes windows, each exactly once, and reads closed ones."""

    def __init__(
        self,
        store: ReportStore,
        clock: Clock,
        *,
        pool: BoundedPool,
        grace: timedelta = REPORT_GRACE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._pool = pool
        self._grace = grace

    def before_next(self) -> Window:
        """Return the last closed window. Before the first run, the one before its first."""
        totals = self._store.totals()
        last = totals.closed_through if totals else None
        return last or next(self._due(None)).plus(-1)

    def _due(self, last: Window | None) -> Iterator[Window]:
        return windows_to_close(
            last,
            self._clock.now(),
            grace=self._grace,
            most=REPORT_WINDOWS_PER_RUN,
            first_run_reach=REPORT_FIRST_REACH,
        )

    def close_due(
        self, levels: Levels | None = None, sinks: tuple[SinkState, ...] | None = None
    ) -> Iterator[Report]:
        """Close the windows that are over, oldest first, and yield the report of each.

        Each counts what came late to the windows before it: what finished in them and was not in
        the index yet. What another run closed meanwhile is not yielded: that run has it. The
        levels, and how the sinks stand, go into the report of the newest window, which was over
        when they were measured.
        """
        totals = self._store.totals()
        last = totals.closed_through if totals else None
        due = list(self._due(last))
        for window in due:
            report = compile_report(window, self.tally(window), self._clock.now())
            report = report.with_late(self._late(window))
            if window == due[-1]:
                report = replace(report, levels=levels, sinks=sinks)
            new = totals.including(report) if totals else Totals.of(report)
            if not self._store.close(report, new, previous=last, closing=token_hex(16)):
                return
            totals, last = new, window
            yield report

    def tally(self, window: Window) -> Tally:
        """Return the tally of a window, counted now: all shards at once."""

        def tally_of(shard: int) -> Tally:
            return Tally.of(self._store.finished_in(window, shard))

        whole = Tally()
        for part in self._pool.map(tally_of, range(self._store.shards)):
            whole.include(part)
        return whole

    def _late(self, window: Window) -> dict[Window, Counts]:
        """Return what came late to the last closed windows before this one.

        Finished tasks never change and never leave: a window that has as many as were counted
        has the same ones, and is not read again. An index can show less than it did before: what
        it shows then is for the next run to count, so that no total ever goes back.
        """
        before = [window.plus(-back) for back in range(1, REPORT_WINDOWS_AGAIN + 1)]
        closed = self._store.reports(before)
        late = {}
        for report in closed:
            counted = counted_of(report.window, closed)
            if self._size(report.window) > tasks_in(counted):
                missed = difference(self.tally(report.window).counts(), counted)
                if missed and all(count.tasks > 0 for count in missed.values()):
                    late[report.window] = missed
        return late

    def _size(self, window: Window) -> int:
        def size_of(shard: int) -> int:
            return self._store.count_finished_in(window, shard)

        return sum(self._pool.map(size_of, range(self._store.shards)))

    def totals(self) -> Totals | None:
        """Return the totals over all closed windows. None before the first was closed."""
        return self._store.totals()

    def latest(self, *, before: Window | None, limit: int) -> list[Report]:
        """Return up to `limit` closed windows, newest first, from the one before `before` on."""
        totals = self._store.totals()
        if totals is None:
            return []
        newest = totals.closed_through
        if before is not None:
            newest = min(newest, before.plus(-1))
        return self._store.reports([newest.plus(-back) for back in range(limit)])
