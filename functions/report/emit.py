"""A report as log lines and as CloudWatch metrics, in embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections import Counter
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from tandem.domain.counts import Count
from tandem.domain.report import Report
from tandem.domain.tally import Durations, Percentiles
from tandem.domain.task import State
from tandem.services.sweep import Found
from tandem.telemetry import logger
from tandem.trace import trace_id

_METRIC_OF = {
    State.SUCCEEDED: "TasksSucceeded",
    State.FAILED: "TasksFailed",
    State.CANCELLED: "TasksCancelled",
}


def emit(report: Report) -> None:
    """Log the report, and its metrics with the time of its window's start."""
    logger.info("report", **summary(report))
    for series, example in report.examples.items():
        logger.info(
            "counted",
            window=report.window.name,
            correlation_id=trace_id(example.traceparent),
            task_id=example.task_id,
            processor=series.processor,
            mode=series.mode,
            state=series.outcome,
            tasks=report.counts[series].tasks,
            run_ms=round(example.run_seconds * 1000),
        )
    metrics = EphemeralMetrics()
    metrics.set_timestamp(report.window.start)
    metrics.add_metric("WindowsClosed", MetricUnit.Count, 1)
    metrics.flush_metrics()
    for processor, durations in report.durations.items():
        _emit_processor(report, processor, durations)


def summary(report: Report) -> dict[str, Any]:
    """Return a report in a line: how many ended how, what came late, and what is in flight."""
    ended: Counter[State] = Counter()
    for series, count in report.counts.items():
        ended[series.outcome] += count.tasks
    line: dict[str, Any] = {"window": report.window.name, "tasks": report.tasks}
    line |= {state.value: ended[state] for state in _METRIC_OF}
    line["late"] = report.late_tasks
    if report.levels is not None:
        line |= {
            "waiting": report.levels.waiting,
            "in_flight": report.levels.in_flight,
            "dead_letters": report.levels.dead_letters,
        }
    return line


def emit_sweep(swept: Counter[Found]) -> None:
    """Log what a sweep did, and how many tasks it found, now."""
    found = found_overdue(swept)
    if found:
        logger.warning("swept", counts=dict(swept))
    metrics = EphemeralMetrics()
    metrics.add_metric("TasksSwept", MetricUnit.Count, found)
    metrics.flush_metrics()


def found_overdue(swept: Counter[Found]) -> int:
    """Return how many tasks a sweep found overdue."""
    return sum(swept.values()) - swept[Found.MOVED]


def _emit_processor(report: Report, processor: str, durations: Durations) -> None:
    metrics = EphemeralMetrics()
    metrics.set_timestamp(report.window.start)
    metrics.add_dimension("processor", processor)
    by_outcome: dict[State, Count] = {}
    for series, count in report.counts.items():
        if series.processor == processor:
            by_outcome[series.outcome] = by_outcome.get(series.outcome, Count()) + count
    for outcome, count in by_outcome.items():
        metrics.add_metric(_METRIC_OF[outcome], MetricUnit.Count, count.tasks)
    attempts = sum(count.attempts for count in by_outcome.values())
    metrics.add_metric("Attempts", MetricUnit.Count, attempts)
    _add_percentiles(metrics, "QueueWait", durations.queue_wait)
    _add_percentiles(metrics, "RunTime", durations.run)
    metrics.flush_metrics()


def _add_percentiles(metrics: EphemeralMetrics, name: str, values: Percentiles | None) -> None:
    if values is not None:
        metrics.add_metric(f"{name}P50", MetricUnit.Seconds, values.p50)
        metrics.add_metric(f"{name}P95", MetricUnit.Seconds, values.p95)
        metrics.add_metric(f"{name}P99", MetricUnit.Seconds, values.p99)
