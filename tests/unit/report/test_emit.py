import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from report.emit import emit
from tandem.domain.clock import SystemClock
from tandem.domain.counts import FinishedTask
from tandem.domain.histogram import RELATIVE_ERROR
from tandem.domain.report import Report, compile_report
from tandem.domain.tally import Tally
from tandem.domain.task import Mode, State
from tandem.domain.window import Window
from tests.factories.tasks import ACME, make_task


def report_of(*outcomes: State) -> Report:
    # CloudWatch drops what is older than two weeks, and Powertools warns of it.
    window = Window.holding(SystemClock().now()).plus(-1)
    tasks = [
        FinishedTask(
            task_id=make_task().task_id,
            tenant=ACME,
            processor="echo",
            mode=Mode.OFFLINE,
            outcome=outcome,
            attempts=2,
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            created_at=window.start,
            started_at=window.start + timedelta(seconds=1),
            attempt_started_at=window.start + timedelta(seconds=1),
            finished_at=window.start + timedelta(seconds=4),
        )
        for outcome in outcomes
    ]
    return compile_report(window, Tally.of(tasks), window.end)


@pytest.fixture
def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> pytest.CaptureFixture[str]:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tandem")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report")
    return capsys


def emitted(report: Report, printed: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    emit(report)
    lines = [json.loads(line) for line in printed.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def test_a_window_is_emitted_by_processor_with_the_windows_time(
    printed: pytest.CaptureFixture[str],
) -> None:
    report = report_of(State.SUCCEEDED, State.SUCCEEDED, State.FAILED)
    heartbeat, echo = emitted(report, printed)
    assert heartbeat["WindowsClosed"] == [1.0]
    assert echo["processor"] == "echo"
    assert (echo["TasksSucceeded"], echo["TasksFailed"], echo["Attempts"]) == ([2.0], [1.0], [6.0])
    assert echo["QueueWaitP95"] == [pytest.approx(1.0, rel=RELATIVE_ERROR)]
    assert echo["RunTimeP50"] == [pytest.approx(3.0, rel=RELATIVE_ERROR)]
    envelope = echo["_aws"]
    assert isinstance(envelope, dict)
    moment = datetime.fromtimestamp(envelope["Timestamp"] / 1000, UTC)
    assert moment == report.window.start
    assert envelope["CloudWatchMetrics"][0]["Namespace"] == "Tandem"


def test_the_longest_task_of_each_series_is_logged_under_its_own_correlation_id(
    log: StringIO, printed: pytest.CaptureFixture[str]
) -> None:
    emit(report_of(State.SUCCEEDED, State.FAILED))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    counted = [line for line in lines if line["message"] == "counted"]
    assert {line["state"] for line in counted} == {"succeeded", "failed"}
    for line in counted:
        assert line["correlation_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert line["run_ms"] == 3000


def test_a_report_is_one_line_that_says_how_much_ended_how(
    log: StringIO, printed: pytest.CaptureFixture[str]
) -> None:
    emit(report_of(State.SUCCEEDED, State.SUCCEEDED, State.FAILED))
    (line,) = [
        one for one in map(json.loads, log.getvalue().splitlines()) if one["message"] == "report"
    ]
    assert line.items() >= {"tasks": 3, "succeeded": 2, "failed": 1, "cancelled": 0}.items()


def test_an_empty_window_still_says_that_it_was_closed(
    printed: pytest.CaptureFixture[str],
) -> None:
    (heartbeat,) = emitted(report_of(), printed)
    assert heartbeat["WindowsClosed"] == [1.0]
