import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from tandem.clock import SystemClock
from tandem.reports.cloudwatch import CloudWatchSink, emit_run
from tandem.reports.histogram import RELATIVE_ERROR
from tandem.reports.report import Levels, Report, Totals
from tandem.reports.sink import SinkCursor, SinkState
from tandem.reports.window import Window
from tandem.tasks.task import State
from tests.factories.reports import recent_report


@pytest.fixture
def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> pytest.CaptureFixture[str]:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tandem/test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report")
    return capsys


LEVELS = Levels(
    waiting=1, delayed=2, in_flight=3, dead_letters=4, oldest_waiting_seconds=0, swept=6
)


def publish(report: Report, *, metrics: bool = True) -> None:
    CloudWatchSink(SystemClock(), metrics=metrics).publish(report, Totals.of(report))


def metrics_of(printed: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in printed.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def emitted(report: Report, printed: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    publish(report)
    return metrics_of(printed)


def test_a_window_is_emitted_in_all_and_by_processor_with_the_windows_time(
    printed: pytest.CaptureFixture[str],
) -> None:
    report = recent_report(State.SUCCEEDED, State.SUCCEEDED, State.FAILED)
    whole, echo = emitted(report, printed)
    assert (whole["WindowsClosed"], whole["service"]) == ([1.0], "report")
    assert "processor" not in whole
    assert echo["processor"] == "echo"
    assert (whole["Attempts"], "Attempts" in echo) == ([6.0], False)
    for line in (whole, echo):
        assert (line["TasksSucceeded"], line["TasksFailed"]) == ([2.0], [1.0])
        moment = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
        assert moment == report.window.start
        assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Tandem/test"
    assert (whole["TasksCancelled"], whole["Retries"], whole["TasksLate"]) == ([0.0], [3.0], [0.0])
    assert whole["TasksFaulted"] == [1.0]
    assert echo["QueueWaitP95"] == [pytest.approx(1.0, rel=RELATIVE_ERROR)]
    assert echo["RunTimeP50"] == [pytest.approx(3.0, rel=RELATIVE_ERROR)]


def test_a_window_that_is_emitted_again_says_the_same(
    printed: pytest.CaptureFixture[str],
) -> None:
    report = replace(recent_report(State.SUCCEEDED, State.FAILED), levels=LEVELS)
    assert emitted(report, printed) == emitted(report, printed)


def test_of_levels_what_no_queue_says_is_emitted_where_the_report_has_it(
    printed: pytest.CaptureFixture[str],
) -> None:
    (without,) = emitted(recent_report(), printed)
    assert "OldestWaiting" not in without
    (line,) = emitted(replace(recent_report(), levels=LEVELS), printed)
    assert line["OldestWaiting"] == [0.0]
    assert line.keys().isdisjoint({"QueueWaiting", "QueueInFlight", "DeadLetters"})


def test_a_cancelled_task_is_counted_of_all_processors_alone(
    printed: pytest.CaptureFixture[str],
) -> None:
    whole, echo = emitted(recent_report(State.CANCELLED), printed)
    assert (whole["TasksCancelled"], "TasksCancelled" in echo) == ([1.0], False)


UNKNOWN = Levels(
    waiting=None,
    delayed=None,
    in_flight=None,
    dead_letters=None,
    oldest_waiting_seconds=None,
    swept=None,
)


def test_levels_that_are_not_known_are_neither_emitted_nor_logged(
    log: StringIO, printed: pytest.CaptureFixture[str]
) -> None:
    (line,) = emitted(replace(recent_report(), levels=replace(UNKNOWN, dead_letters=4)), printed)
    assert "OldestWaiting" not in line
    logged = json.loads(log.getvalue())
    assert logged.keys().isdisjoint({"waiting", "in_flight"})
    assert logged["dead_letters"] == 4


def test_what_a_run_does_not_know_is_not_emitted(printed: pytest.CaptureFixture[str]) -> None:
    emit_run(None, None)
    assert metrics_of(printed) == []
    emit_run(3, None)
    (line,) = metrics_of(printed)
    assert (line["TasksSwept"], "SinkWindowsBehind" in line) == ([3.0], False)


def test_a_processor_is_emitted_whose_tasks_all_came_late(
    printed: pytest.CaptureFixture[str],
) -> None:
    report = recent_report()
    late = recent_report(State.SUCCEEDED)
    _, echo = emitted(report.with_late({report.window.plus(-1): late.counts}), printed)
    assert (echo["processor"], echo["TasksSucceeded"]) == ("echo", [1.0])
    assert "RunTimeP50" not in echo


def test_an_empty_window_still_says_that_it_was_closed(
    printed: pytest.CaptureFixture[str],
) -> None:
    (whole,) = emitted(recent_report(), printed)
    assert (whole["WindowsClosed"], whole["TasksFailed"]) == ([1.0], [0.0])


def test_without_metrics_and_of_windows_that_cloudwatch_does_not_take_there_are_log_lines_alone(
    log: StringIO, printed: pytest.CaptureFixture[str]
) -> None:
    publish(recent_report(State.SUCCEEDED), metrics=False)
    publish(replace(recent_report(), window=recent_report().window.plus(-14 * 24 * 60)))
    assert metrics_of(printed) == []
    messages = [json.loads(line)["message"] for line in log.getvalue().splitlines()]
    assert messages == ["report", "counted", "report"]


def test_a_run_says_how_far_sinks_are_behind(printed: pytest.CaptureFixture[str]) -> None:
    last = Window.holding(SystemClock().now())
    sinks = [
        SinkState.of(SinkCursor(sink=name, published_through=last.plus(-behind)), last)
        for name, behind in (("cloudwatch", 0), ("webhook", 3))
    ]
    emit_run(2, sinks)
    whole, cloudwatch, webhook = metrics_of(printed)
    assert (whole["TasksSwept"], whole["SinkWindowsBehind"]) == ([2.0], [3.0])
    assert "sink" not in whole
    assert (cloudwatch["sink"], cloudwatch["SinkWindowsBehind"]) == ("cloudwatch", [0.0])
    assert (webhook["sink"], webhook["SinkWindowsBehind"]) == ("webhook", [3.0])


def test_the_longest_task_of_each_series_is_logged_under_its_own_correlation_id(
    log: StringIO, printed: pytest.CaptureFixture[str]
) -> None:
    publish(recent_report(State.SUCCEEDED, State.FAILED))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    counted = [line for line in lines if line["message"] == "counted"]
    assert {line["state"] for line in counted} == {"succeeded", "failed"}
    for line in counted:
        assert line["correlation_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert line["run_ms"] == 3000


def test_a_report_is_one_line_that_says_how_much_ended_how_and_how_sinks_stand(
    log: StringIO, printed: pytest.CaptureFixture[str]
) -> None:
    report = recent_report(State.SUCCEEDED, State.SUCCEEDED, State.FAILED)
    state = SinkState.of(SinkCursor(sink="sns", published_through=report.window), report.window)
    publish(replace(report, sinks=(state,)))
    (line,) = [
        one for one in map(json.loads, log.getvalue().splitlines()) if one["message"] == "report"
    ]
    assert line.items() >= {"tasks": 3, "succeeded": 2, "failed": 1, "cancelled": 0}.items()
    assert line["sinks_behind"] == {"sns": 0}
