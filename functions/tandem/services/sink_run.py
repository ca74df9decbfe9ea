"""One run's sending to one sink."""

from datetime import datetime, timedelta
from secrets import token_hex

from tandem.domain.clock import Clock
from tandem.domain.report import Report, Totals
from tandem.domain.sink import SinkCursor
from tandem.domain.window import Window
from tandem.limits import REPORT_RETENTION, SINK_CLAIM, SINK_WINDOWS_PER_RUN
from tandem.ports import (
    ReportSink,
    ReportStore,
    SecretsError,
    SinkFailed,
    SinkStore,
    Unreachable,
    WindowRefused,
)
from tandem.processing.context import Logger
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
        """Send a window and move over it; return whether the next one may be sent."""
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
        """Move over windows whose reports are gone; that is recorded with the next write."""
        self._logger.error(
            "reports left out",
            sink=self._sink.name,
            after=self._cursor.published_through.name,
            through=through.name,
        )
        self._cursor = self._cursor.without(through, until=self._cursor.claimed_until)

    def _record(self, cursor: SinkCursor) -> bool:
        """Record how far the sink is; return False when another run has taken over."""
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
    """Return the cursor of a sink that was not done in time; who still sends to it loses it."""
    return cursor.failed(f"it was not done within {patience.total_seconds():.0f} s", now)


def _reason(error: Exception) -> str:
    """Return why a sink failed: of errors that may hold anything, only what kind they are."""
    if isinstance(error, _SAYS_WHY):
        return str(error)
    known = described(error)
    return str(known.get("error_code", known["error_type"]))
