"""The report store in memory, over the tasks of a `MemoryTaskStore`."""

from collections.abc import Iterator
from threading import Lock
from zlib import crc32

from tandem.reports.counts import FinishedTask
from tandem.reports.report import Report, Totals
from tandem.reports.window import Window
from tandem.testing.store import MemoryTaskStore


class MemoryReportStore:
    """Keeps reports in a dictionary. Safe for threads."""

    def __init__(self, tasks: MemoryTaskStore) -> None:
        self._tasks = tasks
        self.windows: dict[Window, Report] = {}
        self._totals: Totals | None = None
        self._totals_then: dict[Window, Totals] = {}
        self._closings: dict[Window, str] = {}
        self._lock = Lock()

    shards = 2

    def count_finished_in(self, window: Window, shard: int) -> int:
        """Return how many `finished_in` would yield."""
        return sum(1 for _ in self.finished_in(window, shard))

    def finished_in(self, window: Window, shard: int) -> Iterator[FinishedTask]:
        """Yield every task of a part that finished in the window."""
        for task in [*self._tasks.tasks.values(), *self._tasks.counted.values()]:
            if (
                task.finished_at is not None
                and window.start <= task.finished_at < window.end
                and crc32(task.task_id.encode()) % self.shards == shard
            ):
                yield FinishedTask(
                    task_id=task.task_id,
                    tenant=task.tenant,
                    processor=task.processor,
                    mode=task.mode,
                    outcome=task.state,
                    attempts=task.attempts,
                    uncounted=task.uncounted,
                    own_fault=task.own_fault,
                    sweeps=task.sweeps,
                    cached=task.cached_from is not None,
                    traceparent=task.traceparent,
                    bytes_in=task.input.size_bytes,
                    bytes_out=sum(
                        payload.size_bytes for payload in (task.output, task.file) if payload
                    ),
                    created_at=task.created_at,
                    started_at=task.started_at,
                    attempt_started_at=task.attempt_started_at,
                    finished_at=task.finished_at,
                )

    def totals(self) -> Totals | None:
        """Return the totals over all closed windows. None before the first was closed."""
        return self._totals

    def close(
        self, report: Report, totals: Totals, *, previous: Window | None, closing: str
    ) -> bool:
        """Record a window's report and the new totals, both or neither. Return whether it did."""
        with self._lock:
            if self._closings.get(report.window) == closing:
                return True
            closed_through = self._totals and self._totals.closed_through
            if report.window in self.windows or closed_through != previous:
                return False
            self.windows[report.window] = report
            self._closings[report.window] = closing
            self._totals = self._totals_then[report.window] = totals
            return True

    def reports(self, windows: list[Window]) -> list[Report]:
        """Return the closed ones of these windows, newest first."""
        return [
            self.windows[window]
            for window in sorted(windows, reverse=True)
            if window in self.windows
        ]

    def closed(self, windows: list[Window]) -> list[tuple[Report, Totals]]:
        """Return the closed ones of these windows with the totals of then, oldest first."""
        reports = reversed(self.reports(windows))
        return [(report, self._totals_then[report.window]) for report in reports]
