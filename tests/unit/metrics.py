"""What CloudWatch has: the metrics that AWS documents, and those that Tandem itself writes."""

from dataclasses import dataclass

from local.template import Node


@dataclass(frozen=True)
class Metric:
    """One metric as an alarm or a graph names it; dimension values may be intrinsic functions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

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
