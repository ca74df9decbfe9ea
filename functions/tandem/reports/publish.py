"""Sending closed windows to the sinks: each window at least once to each, and in order."""

from collections.abc import Sequence
from concurrent.futures import wait
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex

from tandem.callbacks.ports import Unreachable
from tandem.clock import Clock
from tandem.limits import (
    REPORT_RETENTION,
    SINK_CLAIM,
    SINK_PATIENCE,
    SINK_TIME,
    SINK_WINDOWS_PER_RUN,
)
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.reports.ports import ReportSink, ReportStore, SinkFailed, SinkStore, WindowRefused
from tandem.reports.report import Report, Totals
from tandem.reports.sink import SinkCursor, SinkState
from tandem.reports.window import Window
from tandem.secrets import SecretsError
from tandem.trace import described

_SAYS_WHY = (SinkFailed, SecretsError, Unreachable)
"""Errors whose message is written for operators, and holds no secret."""


class SinkRun:
    """Sends a sink the windows that it has not got, as the only one who does so meanwhile.

    Each window is sent first, and the cursor moved over it then.
    """

    def __init__(
        self,
        sink: ReportSink,
        cursor: SinkCursor,
        *,
        cursors: SinkStore,
        reports: ReportStore,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._sink = sink
        self._cursor = cursor
        self._cursors = cursors
        self._reports = reports
        self._clock = clock
        self._logger = logger
        self._id = token_hex(8)

    def send(self, through: Window, until: datetime) -> None:
        """Send windows up to and with one, and begin with none after a time."""
        now = self._clock.now()
        if self._cursor.published_through >= through or not self._cursor.is_free(now):
            return
        if not self._record(self._cursor.claimed(self._claim())):
            return
        self._leave_out_expired(now)
        first = self._cursor.published_through.plus(1)
        due = [first.plus(number) for number in range(SINK_WINDOWS_PER_RUN)]
        due = [window for window in due if window <= through]
        kept = {report.window: (report, totals) for report, totals in self._reports.closed(due)}
        for window in due:
            if self._clock.now() >= until:
                break
            if window not in kept:
                self._leave_out(window)
            elif not self._publish(*kept[window], last=window == due[-1]):
                return
        if self._cursor.claimed_until is not None:
            self._record(self._cursor.released())

    def _publish(self, report: Report, totals: Totals, *, last: bool) -> bool:
        """Send a window and move over it. Return whether the next one may be sent."""
        until = None if last else self._claim()
        try:
            self._sink.publish(report, totals)
        except WindowRefused as error:
            self._say("report refused", report.window, error)
            refused = self._cursor.failed(str(error), self._clock.now())
            return self._record(refused.without(report.window, until=until))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this sink's alone
            self._say("report not sent", report.window, error)
            self._record(self._cursor.failed(_reason(error), self._clock.now()))
            return False
        return self._record(self._cursor.published(report.window, until=until))

    def _leave_out_expired(self, now: datetime) -> None:
        """Leave out what is older than reports are kept."""
        oldest = Window.holding(now - REPORT_RETENTION)
        if self._cursor.published_through < oldest.plus(-1):
            self._leave_out(oldest.plus(-1))

    def _leave_out(self, through: Window) -> None:
        """Move over windows whose reports are gone. That is recorded with the next write."""
        self._logger.error(
            "reports left out",
            sink=self._sink.name,
            after=self._cursor.published_through.name,
            through=through.name,
        )
        self._cursor = self._cursor.without(through, until=self._cursor.claimed_until)

    def _record(self, cursor: SinkCursor) -> bool:
        """Record how far the sink is. Return False when another run has taken over."""
        saved = self._cursors.save(cursor, writer=self._id)
        if saved is not None:
            self._cursor = saved
        return saved is not None

    def _claim(self) -> datetime:
        return self._clock.now() + SINK_CLAIM

    def _say(self, message: str, window: Window, error: Exception) -> None:
        self._logger.error(
            message,
            sink=self._sink.name,
            window=window.name,
            reason=_reason(error),
            **described(error),
        )


def hangs(cursor: SinkCursor, patience: timedelta, now: datetime) -> SinkCursor:
    """Return the cursor of a sink that was not done in time. Who still sends to it loses it."""
    return cursor.failed(f"it was not done within {patience.total_seconds():.0f} s", now)


def _reason(error: Exception) -> str:
    """Return why a sink failed: of errors that may hold anything, only what kind they are."""
    if isinstance(error, _SAYS_WHY):
        return str(error)
    known = described(error)
    return str(known.get("error_code", known["error_type"]))


class Publishing:
    """An outbox: closed windows are kept, and each sink has a cursor that moves over them.

    A window is sent before the cursor moves over it: a crash between sends it again, and loses
    none. Sinks are sent to next to each other: none waits for another, or stops what is to come.
    """

    def __init__(
        self,
        sinks: Sequence[ReportSink],
        cursors: SinkStore,
        reports: ReportStore,
        clock: Clock,
        *,
        pool: BoundedPool,
        logger: Logger,
        patience: timedelta = SINK_PATIENCE,
    ) -> None:
        """Take the sinks.

        Args:
            sinks: to whom windows are sent.
            cursors: where it is kept how far they are.
            reports: where the windows are kept.
            clock: tells the time.
            pool: has a thread for each sink: one that hangs must not keep another waiting.
            logger: is told of what was not sent.
            patience: how long a run waits for them.
        """
        self._sinks = {sink.name: sink for sink in sinks}
        self._cursors = cursors
        self._reports = reports
        self._clock = clock
        self._pool = pool
        self._logger = logger
        self._patience = patience

    def begin(self, closed_through: Window) -> tuple[SinkState, ...]:
        """Give each new sink a cursor, and return how all sinks stand.

        It is called before windows are closed: a new sink gets what is closed from then on.

        Args:
            closed_through: the last window that is closed.

        Raises:
            ExceptionGroup: some of the new sinks have no cursor, and the others have theirs.
        """
        known = self._cursors.cursors(self._sinks)
        failed = []
        for name in self._sinks.keys() - known.keys():
            known[name] = SinkCursor(sink=name, published_through=closed_through)
            try:
                self._cursors.create(known[name])
            except Exception as error:  # noqa: BLE001 - raised when the others have theirs
                self._logger.error("sink not begun", sink=name, **described(error))
                failed.append(error)
        if failed:
            raise ExceptionGroup("sinks not begun", failed)
        return self._states(known, closed_through)

    def run(self) -> tuple[SinkState, ...]:
        """Send each sink what it has not got, and return how all sinks stand.

        Raises:
            ExceptionGroup: it is not recorded of some sinks that they hang.
        """
        totals = self._reports.totals()
        if totals is None:
            return ()
        through = totals.closed_through
        runs = {name: self._run_of(name, cursor) for name, cursor in self._read().items()}
        until = self._clock.now() + SINK_TIME
        futures = {
            self._pool.submit(partial(self._send, name, run, through, until)): name
            for name, run in runs.items()
        }
        done, hanging = wait(futures, self._patience.total_seconds())
        if hanging:
            self._pool.replace()
            self._give_up([futures[future] for future in hanging])
        for future in done:
            future.result()
        return self._states(self._read(), through)

    def _run_of(self, name: str, cursor: SinkCursor) -> SinkRun:
        return SinkRun(
            self._sinks[name],
            cursor,
            cursors=self._cursors,
            reports=self._reports,
            clock=self._clock,
            logger=self._logger,
        )

    def _send(self, name: str, run: SinkRun, through: Window, until: datetime) -> None:
        try:
            run.send(through, until)
        except Exception as error:  # noqa: BLE001 - the next run goes on when the claim is over
            self._logger.error("sink not recorded", sink=name, **described(error))

    def _give_up(self, names: list[str]) -> None:
        """Record that sinks hang, so that whatever still comes of them moves no cursor."""
        failed = []
        for name, cursor in self._cursors.cursors(names).items():
            self._logger.error("sink hangs", sink=name)
            hanging = hangs(cursor, self._patience, self._clock.now())
            try:
                self._cursors.save(hanging, writer=token_hex(8))
            except Exception as error:  # noqa: BLE001 - raised when the others are recorded
                self._logger.error("sink not recorded", sink=name, **described(error))
                failed.append(error)
        if failed:
            raise ExceptionGroup("sinks not recorded", failed)

    def _read(self) -> dict[str, SinkCursor]:
        return self._cursors.cursors(self._sinks)

    def _states(
        self, cursors: dict[str, SinkCursor], closed_through: Window
    ) -> tuple[SinkState, ...]:
        found = (cursors[name] for name in self._sinks if name in cursors)
        return tuple(SinkState.of(cursor, closed_through) for cursor in found)
