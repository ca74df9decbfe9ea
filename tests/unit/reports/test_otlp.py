"""The OTLP document, read by OpenTelemetry's own protocol definition."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from tandem.reports.histogram import BOUNDS_MS
from tandem.reports.otlp import metrics_request
from tandem.reports.report import Report, Totals
from tandem.reports.window import Window
from tandem.tasks.task import State
from tandem_tools.harness.tasks import NOON
from tests.factories.reports import LEVELS, full_report, make_report

FIRST = Window(NOON)


def read(report: Report, totals: Totals) -> Any:
    """Return the request as a collector reads it: strictly, and from the text that is sent."""
    document = metrics_request(report, totals, stack="tandem-prod", environment="prod")
    return ParseDict(json.loads(json.dumps(document)), ExportMetricsServiceRequest())


def metrics_in(request: Any) -> dict[str, Any]:
    (resource,) = request.resource_metrics
    (scope,) = resource.scope_metrics
    names = [metric.name for metric in scope.metrics]
    assert len(names) == len(set(names))
    return {metric.name: metric for metric in scope.metrics}


def labels(point: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in point.attributes}


def totals_of(*reports: Report) -> Totals:
    totals = Totals.of(reports[0])
    for report in reports[1:]:
        totals = totals.including(report)
    return totals


def test_the_resource_is_the_stack() -> None:
    report = make_report(State.SUCCEEDED)
    (resource,) = read(report, totals_of(report)).resource_metrics
    assert {one.key: one.value.string_value for one in resource.resource.attributes} == {
        "service.name": "tandem",
        "service.instance.id": "tandem-prod",
        "deployment.environment.name": "prod",
    }


def test_sums_are_monotonic_and_cumulative_from_the_first_window_to_this_ones_end() -> None:
    reports = [
        make_report(State.SUCCEEDED, window=FIRST),
        make_report(State.SUCCEEDED, State.FAILED, window=FIRST.plus(1)),
    ]
    metrics = metrics_in(read(reports[-1], totals_of(*reports)))
    tasks = metrics["tandem.tasks"]
    assert tasks.unit == "{task}"
    assert tasks.sum.is_monotonic
    assert tasks.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    found = {labels(point)["outcome"]: point for point in tasks.sum.data_points}
    assert {outcome: point.as_int for outcome, point in found.items()} == {
        "succeeded": 2,
        "failed": 1,
    }
    for point in found.values():
        assert labels(point)["processor"] == "echo"
        assert labels(point)["mode"] == "offline"
        assert datetime.fromtimestamp(point.start_time_unix_nano / 1e9, UTC) == FIRST.start
        assert datetime.fromtimestamp(point.time_unix_nano / 1e9, UTC) == FIRST.plus(1).end
    faulted = metrics["tandem.tasks.faulted"].sum.data_points
    assert {labels(point)["outcome"]: point.as_int for point in faulted} == {
        "succeeded": 0,
        "failed": 1,
    }
    assert metrics["tandem.task.input"].unit == "By"
    inputs = metrics["tandem.task.input"].sum.data_points
    assert sum(point.as_int for point in inputs) == 300


def test_histograms_have_one_bucket_more_than_bounds_and_their_sum_in_seconds() -> None:
    report = make_report(State.SUCCEEDED, State.SUCCEEDED, run_seconds=3.5)
    run = metrics_in(read(report, totals_of(report)))["tandem.task.run"]
    assert run.unit == "s"
    assert run.histogram.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = run.histogram.data_points
    assert list(point.explicit_bounds) == [bound / 1000 for bound in BOUNDS_MS]
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert (point.count, sum(point.bucket_counts), point.sum) == (2, 2, 7.0)
    # Bounds are within their bucket, in OTLP as here.
    assert point.bucket_counts[list(point.explicit_bounds).index(5.0)] == 2


def test_levels_are_gauges_of_the_windows_end_and_only_where_the_report_has_them() -> None:
    report = full_report(State.SUCCEEDED)
    metrics = metrics_in(read(report, totals_of(report)))
    messages = metrics["tandem.queue.messages"].gauge.data_points
    assert {labels(point)["state"]: point.as_double for point in messages} == {
        "waiting": LEVELS.waiting,
        "delayed": LEVELS.delayed,
        "in_flight": LEVELS.in_flight,
    }
    unknown = replace(LEVELS, waiting=None, delayed=None, in_flight=None, dead_letters=None)
    partly = replace(report, levels=replace(unknown, oldest_waiting_seconds=None))
    shown = metrics_in(read(partly, totals_of(partly))).keys()
    assert metrics.keys() - shown == {
        "tandem.queue.messages",
        "tandem.dead_letters",
        "tandem.oldest_waiting",
    }
    (oldest,) = metrics["tandem.oldest_waiting"].gauge.data_points
    assert oldest.as_double == LEVELS.oldest_waiting_seconds
    (behind,) = metrics["tandem.report.sink.windows_behind"].gauge.data_points
    assert (labels(behind), behind.as_double) == ({"sink": "webhook"}, 2)
    without = metrics_in(read(make_report(State.FAILED), totals_of(report)))
    assert not any("queue.messages" in name or "sink" in name for name in without)


def test_before_anything_ended_there_are_no_empty_metrics_but_a_sign_of_life() -> None:
    report = make_report()
    ((name, metric),) = metrics_in(read(report, totals_of(report))).items()
    assert (name, metric.unit) == ("tandem.report.closed_through_timestamp", "s")
    (point,) = metric.gauge.data_points
    assert point.as_double == report.window.end.timestamp()


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1])
def test_numbers_beyond_what_a_double_holds_are_exact(number: int) -> None:
    report = make_report(State.SUCCEEDED)
    ((series, count),) = report.counts.items()
    numbers = (number, *count.numbers[1:])
    large = type(count).of(numbers, count.queue_wait, count.run)
    totals = Totals(FIRST, FIRST, {series: large})
    (point,) = metrics_in(read(report, totals))["tandem.tasks"].sum.data_points
    assert point.as_int == number


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from(list(State)[2:]), max_size=3), min_size=1, max_size=8))
def test_the_last_point_of_any_series_of_windows_is_the_totals_and_none_goes_back(
    minutes: list[list[State]],
) -> None:
    reports = [
        make_report(*outcomes, window=FIRST.plus(number)) for number, outcomes in enumerate(minutes)
    ]
    before: dict[str, int] = {}
    for number in range(len(reports)):
        totals = totals_of(*reports[: number + 1])
        metrics = metrics_in(read(reports[number], totals))
        points = metrics["tandem.tasks"].sum.data_points if "tandem.tasks" in metrics else []
        now = {labels(point)["outcome"]: point.as_int for point in points}
        assert all(now[outcome] >= value for outcome, value in before.items())
        before = now
    ended = [outcome.value for minute in minutes for outcome in minute]
    assert before == {outcome: ended.count(outcome) for outcome in set(ended)}
