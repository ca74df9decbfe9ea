"""Reports for tests."""

from dataclasses import replace
from datetime import timedelta

from tandem.clock import SystemClock
from tandem.ids import new_task_id
from tandem.reports.counts import FinishedTask
from tandem.reports.report import Levels, Report, compile_report
from tandem.reports.sink import SinkCursor, SinkState
from tandem.reports.tally import Tally
from tandem.reports.window import Window
from tandem.tasks.task import Mode, State
from tandem_tools.harness.tasks import ACME, NOON

LEVELS = Levels(
    waiting=1, delayed=2, in_flight=3, dead_letters=4, oldest_waiting_seconds=5.5, swept=6
)

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def make_report(
    *outcomes: State, window: Window | None = None, processor: str = "echo", run_seconds: float = 3
) -> Report:
    """Return the report of a window in which tasks of a processor ended so."""
    window = window or Window(NOON)
    started = window.start + timedelta(seconds=1)
    tasks = [
        FinishedTask(
            task_id=new_task_id(window.start),
            tenant=ACME,
            processor=processor,
            mode=Mode.OFFLINE,
            outcome=outcome,
            attempts=2,
            own_fault=outcome is State.FAILED,
            bytes_in=100,
            bytes_out=10,
            traceparent=TRACEPARENT,
            created_at=window.start,
            started_at=started,
            attempt_started_at=started,
            finished_at=started + timedelta(seconds=run_seconds),
        )
        for outcome in outcomes
    ]
    return compile_report(window, Tally.of(tasks), window.end + timedelta(seconds=10))


def recent_report(*outcomes: State) -> Report:
    """Return the report of the last minute: CloudWatch drops what is older than two weeks."""
    return make_report(*outcomes, window=Window.holding(SystemClock().now()).plus(-1))


def full_report(*outcomes: State, window: Window | None = None) -> Report:
    """Return a report with everything that a report can have."""
    report = make_report(*outcomes, window=window)
    failing = SinkCursor(sink="webhook", published_through=report.window.plus(-3))
    failing = failing.failed("it answered 503", report.closed_at)
    late = make_report(State.SUCCEEDED, window=report.window.plus(-1))
    state = SinkState.of(failing, report.window.plus(-1))
    whole = replace(report, levels=LEVELS, sinks=(state,))
    return whole.with_late({late.window: late.counts})
