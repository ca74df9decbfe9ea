"""Sending closed windows to the sinks: each window at least once to each, and in order."""

from collections.abc import Sequence
from concurrent.futures import wait
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex

from tandem.domain.clock import Clock
from tandem.domain.sink import SinkCursor, SinkState
from tandem.domain.window import Window
from tandem.limits import SINK_PATIENCE, SINK_TIME
from tandem.ports import ReportSink, ReportStore, SinkStore
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.services.sink_run import SinkRun, hangs
from tandem.trace import described


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
