"""Reports as log lines and as CloudWatch metrics, in embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

CloudWatch may count a line twice ("duplicate metric values may occasionally occur"), and a line can
be written twice. What is written here of a window has the window's time and the same values each
time: read it with the statistic Maximum and a period of 60 seconds, by which twice is as once.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from tandem.clock import Clock
from tandem.reports.report import Report, Totals
from tandem.reports.sink import SinkState, most_behind
from tandem.reports.tally import Durations, Percentiles
from tandem.reports.text import outcomes
from tandem.tasks.task import State
from tandem.telemetry import logger
from tandem.trace import trace_id

_METRIC_OF = {
    State.SUCCEEDED: "TasksSucceeded",
    State.FAILED: "TasksFailed",
    State.CANCELLED: "TasksCancelled",
}

_SHOWN_BY_PROCESSOR = frozenset({State.SUCCEEDED, State.FAILED})
"""Each metric of each processor costs as much as one of all of them: none that nothing reads."""

_TAKEN_FOR = timedelta(days=14)
"""How old metrics may be that CloudWatch takes."""


class CloudWatchSink:
    """Logs each window, and its metrics where these are wanted."""

    name = "cloudwatch"

    def __init__(self, clock: Clock, *, metrics: bool) -> None:
        self._clock = clock
        self._metrics = metrics

    def publish(self, report: Report, totals: Totals) -> None:
        """Log a window, and its metrics with the time of its start."""
        del totals
        _log(report)
        if self._metrics and self._clock.now() - report.window.start < _TAKEN_FOR:
            _emit_window(report)
            for processor, durations in _by_processor(report).items():
                _emit_processor(report, processor, durations)


def emit_run(swept: int | None, sinks: Iterable[SinkState] | None) -> None:
    """Emit what a run found, now: the tasks that were overdue, and how far sinks are behind.

    What is None is not known, and not emitted.
    """
    sinks = None if sinks is None else tuple(sinks)
    metrics = EphemeralMetrics()
    if swept is not None:
        metrics.add_metric("TasksSwept", MetricUnit.Count, swept)
    if sinks is not None:
        metrics.add_metric("SinkWindowsBehind", MetricUnit.Count, most_behind(sinks))
    if metrics.metric_set:
        metrics.flush_metrics()
    for sink in sinks or ():
        metrics = EphemeralMetrics()
        metrics.add_dimension("sink", sink.name)
        metrics.add_metric("SinkWindowsBehind", MetricUnit.Count, sink.windows_behind)
        metrics.flush_metrics()


def summary(report: Report) -> dict[str, Any]:
    """Return a report in a line: how many ended how, what came late, and what is in flight."""
    ended = outcomes(report)
    line: dict[str, Any] = {"window": report.window.name, "tasks": report.tasks}
    line |= {state.value: ended[state] for state in _METRIC_OF}
    line["late"] = report.late_tasks
    if report.levels is not None:
        levels = {
            "waiting": report.levels.waiting,
            "in_flight": report.levels.in_flight,
            "dead_letters": report.levels.dead_letters,
        }
        line |= {name: level for name, level in levels.items() if level is not None}
    if report.sinks is not None:
        line["sinks_behind"] = {sink.name: sink.windows_behind for sink in report.sinks}
    return line


def _log(report: Report) -> None:
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


def _of_window(report: Report) -> EphemeralMetrics:
    metrics = EphemeralMetrics()
    metrics.set_timestamp(report.window.start)
    return metrics


def _emit_window(report: Report) -> None:
    metrics, ended = _of_window(report), outcomes(report)
    metrics.add_metric("WindowsClosed", MetricUnit.Count, 1)
    for outcome, name in _METRIC_OF.items():
        metrics.add_metric(name, MetricUnit.Count, ended[outcome])
    counts = report.counts.values()
    metrics.add_metric("Attempts", MetricUnit.Count, sum(count.attempts for count in counts))
    metrics.add_metric("Retries", MetricUnit.Count, sum(count.retries for count in counts))
    metrics.add_metric("TasksFaulted", MetricUnit.Count, sum(count.faults for count in counts))
    metrics.add_metric("TasksLate", MetricUnit.Count, report.late_tasks)
    # What queues hold is in SQS's own metrics, which cost nothing.
    if report.levels is not None and report.levels.oldest_waiting_seconds is not None:
        oldest = report.levels.oldest_waiting_seconds
        metrics.add_metric("OldestWaiting", MetricUnit.Seconds, oldest)
    metrics.flush_metrics()


def _by_processor(report: Report) -> dict[str, Durations]:
    """Return every processor that the report counts: one has no durations when all came late."""
    counted = {series.processor: Durations(None, None) for series in report.counts}
    return counted | report.durations


def _emit_processor(report: Report, processor: str, durations: Durations) -> None:
    metrics = _of_window(report)
    metrics.add_dimension("processor", processor)
    by_outcome: dict[State, int] = {}
    for series, count in report.counts.items():
        if series.processor == processor:
            by_outcome[series.outcome] = by_outcome.get(series.outcome, 0) + count.tasks
    for outcome in _SHOWN_BY_PROCESSOR & by_outcome.keys():
        metrics.add_metric(_METRIC_OF[outcome], MetricUnit.Count, by_outcome[outcome])
    _add_percentiles(metrics, "QueueWait", durations.queue_wait)
    _add_percentiles(metrics, "RunTime", durations.run)
    metrics.flush_metrics()


def _add_percentiles(metrics: EphemeralMetrics, name: str, values: Percentiles | None) -> None:
    if values is not None:
        metrics.add_metric(f"{name}P50", MetricUnit.Seconds, values.p50)
        metrics.add_metric(f"{name}P95", MetricUnit.Seconds, values.p95)
        metrics.add_metric(f"{name}P99", MetricUnit.Seconds, values.p99)
