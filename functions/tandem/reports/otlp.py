"""A window's totals and levels as OTLP metrics in JSON.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: 64-bit numbers are text, enums
numbers. Sums and histograms are cumulative since the first window: the same window again is the
same point again, and a window that was never sent is in the next one's points.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from tandem.reports.counts import Counts, Series
from tandem.reports.histogram import BOUNDS_MS, Histogram
from tandem.reports.instruments import COUNTERS, HISTOGRAMS
from tandem.reports.report import Levels, Report, Totals
from tandem.reports.sink import SinkState

type Json = dict[str, Any]

_CUMULATIVE = 2
_BOUNDS = [bound / 1000 for bound in BOUNDS_MS]

_LEVELS: tuple[tuple[str, str, str, Callable[[Levels], float | None]], ...] = (
    (
        "tandem.dead_letters",
        "{task}",
        "About how many tasks were given up.",
        lambda levels: levels.dead_letters,
    ),
    (
        "tandem.oldest_waiting",
        "s",
        "How long the oldest queued task waits; 0 when none does.",
        lambda levels: levels.oldest_waiting_seconds,
    ),
    (
        "tandem.overdue_tasks",
        "{task}",
        "Tasks that the sweep found overdue.",
        lambda levels: levels.swept,
    ),
)


def metrics_request(report: Report, totals: Totals, *, stack: str, environment: str) -> Json:
    """Return an ExportMetricsServiceRequest of the totals as of a window, and of its levels."""
    attributes = {
        "service.name": "tandem",
        "service.instance.id": stack,
        "deployment.environment.name": environment,
    }
    metrics = _Metrics(since=totals.since.start, at=report.window.end)
    points = [metrics.closed_through(report.window.end)]
    points += [*metrics.sums(totals.counts), *metrics.histograms(totals.counts)]
    if report.levels is not None:
        points += metrics.levels(report.levels)
    if report.sinks is not None:
        points += metrics.sinks(report.sinks)
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes(attributes)},
                "scopeMetrics": [{"scope": {"name": "tandem.reports"}, "metrics": points}],
            }
        ]
    }


class _Metrics:
    """Makes the metrics of one moment."""

    def __init__(self, *, since: datetime, at: datetime) -> None:
        self._moment = {"timeUnixNano": _nanoseconds(at)}
        self._period = {"startTimeUnixNano": _nanoseconds(since)} | self._moment

    def closed_through(self, end: datetime) -> Json:
        about = (
            "tandem.report.closed_through_timestamp",
            "s",
            "The end of the last report window that was closed.",
        )
        return self._gauge(about, [({}, end.timestamp())])

    def sums(self, counts: Counts) -> Iterable[Json]:
        for counter in COUNTERS:
            points = [
                self._period | _of(series) | {"asInt": str(counter.value_of(count))}
                for series, count in counts.items()
            ]
            if points:
                data = {
                    "dataPoints": points,
                    "aggregationTemporality": _CUMULATIVE,
                    "isMonotonic": True,
                }
                yield _metric(counter.name, counter.unit, counter.text) | {"sum": data}

    def histograms(self, counts: Counts) -> Iterable[Json]:
        for histogram in HISTOGRAMS:
            points = [
                self._period | _of(series) | _distribution(histogram.value_of(count))
                for series, count in counts.items()
            ]
            if points:
                data = {"dataPoints": points, "aggregationTemporality": _CUMULATIVE}
                yield _metric(histogram.name, "s", histogram.text) | {"histogram": data}

    def levels(self, levels: Levels) -> Iterable[Json]:
        """Yield the levels that are known."""
        messages: list[tuple[dict[str, str], float]] = [
            ({"state": state}, value)
            for state in ("waiting", "delayed", "in_flight")
            if (value := getattr(levels, state)) is not None
        ]
        about = ("tandem.queue.messages", "{message}", "About how many messages the queue holds.")
        if messages:
            yield self._gauge(about, messages)
        for name, unit, text, value_of in _LEVELS:
            value = value_of(levels)
            if value is not None:
                yield self._gauge((name, unit, text), [({}, value)])

    def sinks(self, sinks: Iterable[SinkState]) -> Iterable[Json]:
        about = (
            "tandem.report.sink.windows_behind",
            "{window}",
            "How many closed report windows a sink has not got.",
        )
        yield self._gauge(about, [({"sink": sink.name}, sink.windows_behind) for sink in sinks])

    def _gauge(
        self, about: tuple[str, str, str], values: list[tuple[dict[str, str], float]]
    ) -> Json:
        points = [
            self._moment | {"attributes": _attributes(labels), "asDouble": value}
            for labels, value in values
        ]
        return _metric(*about) | {"gauge": {"dataPoints": points}}


def _metric(name: str, unit: str, text: str) -> Json:
    return {"name": name, "unit": unit, "description": text}


def _distribution(histogram: Histogram) -> Json:
    return {
        "count": str(histogram.count),
        "sum": histogram.total_ms / 1000,
        "bucketCounts": [str(number) for number in histogram.buckets],
        "explicitBounds": _BOUNDS,
    }


def _of(series: Series) -> Json:
    labels = {"processor": series.processor, "mode": series.mode, "outcome": series.outcome}
    return {"attributes": _attributes(labels)}


def _attributes(labels: dict[str, str]) -> list[Json]:
    return [{"key": key, "value": {"stringValue": str(value)}} for key, value in labels.items()]


def _nanoseconds(moment: datetime) -> str:
    return f"{int(moment.timestamp())}000000000"
