"""What CloudWatch has: the metrics that AWS documents, and those that Tandem itself writes."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from unittest.mock import patch

from tandem.clock import SystemClock
from tandem.http.responses import failed
from tandem.reports.cloudwatch import CloudWatchSink, emit_run
from tandem.reports.report import Levels, Report, Totals
from tandem.reports.sink import SinkCursor, SinkState
from tandem.tasks.task import State, TaskError
from tandem_tools.harness.tasks import make_task
from tandem_tools.template import Node, load_template
from tests.factories.reports import recent_report

_VARIABLES = load_template()["Globals"]["Function"]["Environment"]["Variables"]
NAMESPACE: str = _VARIABLES["POWERTOOLS_METRICS_NAMESPACE"]["Fn::Sub"]
"""Of our own metrics, as the template says it to the functions."""


@dataclass(frozen=True)
class Metric:
    """One metric as an alarm or a graph names it; dimension values may be intrinsic functions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    @property
    def series(self) -> tuple[str, str, frozenset[tuple[str, str]]]:
        """Return what tells it from other metrics: all but the statistic."""
        return self.namespace, self.name, frozenset(self.dimensions)

    @property
    def dimension_names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.dimensions)


@dataclass(frozen=True)
class Documented:
    """Some metrics of a service, with the sets of dimensions that each is written with."""

    source: str
    names: frozenset[str]
    dimensions: tuple[frozenset[str], ...]


def _documented(source: str, names: str, *dimensions: str) -> Documented:
    found = tuple(frozenset(one.split()) for one in dimensions)
    return Documented(source, frozenset(names.split()), found)


DOCUMENTED = {
    "AWS/ApiGateway": [
        # Of HTTP APIs. Those of REST APIs have other names: 4XXError, 5XXError, by ApiName.
        _documented(
            "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html",
            "4xx 5xx Count IntegrationLatency Latency DataProcessed",
            "ApiId",
            "ApiId Stage",
        )
    ],
    "AWS/DynamoDB": [
        _documented(
            "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
            "ConsumedReadCapacityUnits ConsumedWriteCapacityUnits"
            " ReadThrottleEvents WriteThrottleEvents",
            "TableName",
            "TableName GlobalSecondaryIndexName",
        ),
        _documented(
            "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
            "SuccessfulRequestLatency SystemErrors ThrottledRequests",
            "TableName Operation",
        ),
    ],
    "AWS/Lambda": [
        _documented(
            "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
            "ConcurrentExecutions Duration Errors Invocations Throttles",
            "FunctionName",
            "FunctionName Resource",
        )
    ],
    "AWS/SQS": [
        _documented(
            "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
            "ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesDelayed"
            " ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesVisible"
            " NumberOfMessagesDeleted NumberOfMessagesReceived NumberOfMessagesSent",
            "QueueName",
        )
    ],
}


def is_documented(metric: Metric) -> bool:
    """Return whether AWS says that it writes this metric with these dimensions."""
    return any(
        metric.name in one.names and metric.dimension_names in one.dimensions
        for one in DOCUMENTED.get(metric.namespace, [])
    )


@cache
def written() -> frozenset[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Return the series that the functions write themselves."""
    return written_by_reports() | written_by_the_api()


@cache
def written_by_the_api() -> frozenset[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Return the series that ApiFunction writes when it answers for a processor's fault."""
    names = {"POWERTOOLS_METRICS_NAMESPACE": NAMESPACE, "POWERTOOLS_SERVICE_NAME": "api"}
    error = TaskError("KeyError", "a bug")
    with redirect_stdout(io.StringIO()) as printed, patch.dict("os.environ", names):
        failed(make_task(state=State.FAILED, error=error), error)
    return _series(printed.getvalue())


@cache
def written_by_reports() -> frozenset[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Return the series that ReportFunction writes of a minute with all kinds of tasks."""
    names = {"POWERTOOLS_METRICS_NAMESPACE": NAMESPACE, "POWERTOOLS_SERVICE_NAME": "report"}
    report = _report()
    with redirect_stdout(io.StringIO()) as printed, patch.dict("os.environ", names):
        CloudWatchSink(SystemClock(), metrics=True).publish(report, Totals.of(report))
        emit_run(
            1,
            [
                SinkState.of(
                    SinkCursor(sink="cloudwatch", published_through=report.window), report.window
                )
            ],
        )
    return _series(printed.getvalue())


def _series(printed: str) -> frozenset[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Return the series of the lines in embedded metric format."""
    lines = [json.loads(line) for line in printed.splitlines()]
    return frozenset(
        (
            directive["Namespace"],
            metric["Name"],
            frozenset((name, line[name]) for name in directive["Dimensions"][0]),
        )
        for line in lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    )


def _report() -> Report:
    levels = Levels(
        waiting=1, delayed=2, in_flight=3, dead_letters=4, oldest_waiting_seconds=5.0, swept=6
    )
    return replace(recent_report(State.SUCCEEDED, State.FAILED, State.CANCELLED), levels=levels)


def of_alarm(alarm: Node) -> list[Metric]:
    """Return the metrics that an alarm of the template reads."""
    if "Metrics" not in alarm:
        return [_metric(alarm, alarm.get("Statistic") or alarm["ExtendedStatistic"])]
    stats = [one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one]
    return [_metric(one["Metric"], one["Stat"]) for one in stats]


def _metric(node: Node, statistic: str) -> Metric:
    dimensions = tuple((one["Name"], _value(one["Value"])) for one in node["Dimensions"])
    return Metric(_value(node["Namespace"]), node["MetricName"], dimensions, statistic)


def _value(value: str | dict[str, str]) -> str:
    """Return a plain value, or what an intrinsic function of the template takes."""
    return value if isinstance(value, str) else next(iter(value.values()))
