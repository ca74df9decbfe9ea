"""The totals and the latest levels as Prometheus metrics.

Names and units follow https://prometheus.io/docs/practices/naming/. Imported with the first scrape:
no other request needs it.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tandem.domain.counts import Count, Counts, Series
from tandem.domain.histogram import BOUNDS_MS, Histogram
from tandem.domain.report import Levels, Report, Totals

_SERIES = ("processor", "mode", "outcome")

_COUNTERS: tuple[tuple[str, str, str, Callable[[Count], int]], ...] = (
    ("tandem_tasks", "", "Tasks that ended.", lambda count: count.tasks),
    ("tandem_task_attempts", "", "Attempts of tasks that ended.", lambda count: count.attempts),
    (
        "tandem_task_retries",
        "",
        "Attempts of tasks that ended, without each task's first.",
        lambda count: count.retries,
    ),
    (
        "tandem_tasks_cached",
        "",
        "Tasks that a kept result answered, with no run.",
        lambda count: count.cached,
    ),
    (
        "tandem_task_sweeps",
        "",
        "How often tasks that ended had been found overdue.",
        lambda count: count.sweeps,
    ),
    (
        "tandem_task_input_bytes",
        "bytes",
        "Inputs of tasks that ended, without uploads.",
        lambda count: count.bytes_in,
    ),
    (
        "tandem_task_output_bytes",
        "bytes",
        "Outputs and files of tasks that ended.",
        lambda count: count.bytes_out,
    ),
)
_HISTOGRAMS: tuple[tuple[str, str, Callable[[Count], Histogram]], ...] = (
    (
        "tandem_task_queue_wait_seconds",
        "From a task's submission to its first attempt.",
        lambda count: count.queue_wait,
    ),
    ("tandem_task_run_seconds", "How long a task's last attempt ran.", lambda count: count.run),
)
_BOUNDS = (*(str(bound / 1000) for bound in BOUNDS_MS), "+Inf")


class Exposition(Collector):
    """What a scrape is answered with: counted from the store, the same by whoever answers."""

    def __init__(self, totals: Totals | None, latest: Report | None, *, version: str) -> None:
        self._totals = totals
        self._latest = latest
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        counts = self._totals.counts if self._totals else {}
        yield from _counters(counts)
        yield from _histograms(counts)
        if self._totals is not None:
            yield _gauge(
                "tandem_report_closed_through_timestamp_seconds",
                "The end of the last report window that was closed.",
                self._totals.closed_through.end.timestamp(),
                unit="seconds",
            )
        if self._latest is not None and self._latest.levels is not None:
            yield from _levels(self._latest.levels)
        about = {"version": self._version}
        yield InfoMetricFamily("tandem_build", "The application that answers.", about)


def rendered(exposition: Exposition, accept: str) -> tuple[bytes, str]:
    """Return the metrics in the format that a scraper takes, and its content type.

    OpenMetrics when it is asked for, else Prometheus' text format 0.0.4.
    """
    encoder, content_type = choose_encoder(accept)
    return encoder(exposition), content_type


def _counters(counts: Counts) -> Iterator[Metric]:
    for name, unit, text, value_of in _COUNTERS:
        family = CounterMetricFamily(name, text, labels=_SERIES, unit=unit)
        for series, count in counts.items():
            family.add_metric(_labels(series), value_of(count))
        yield family


def _histograms(counts: Counts) -> Iterator[Metric]:
    for name, text, histogram_of in _HISTOGRAMS:
        family = HistogramMetricFamily(name, text, labels=_SERIES, unit="seconds")
        for series, count in counts.items():
            histogram = histogram_of(count)
            family.add_metric(
                _labels(series), _cumulative(histogram.buckets), histogram.total_ms / 1000
            )
        yield family


def _levels(levels: Levels) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "tandem_queue_messages",
        "About how many messages the queue of tasks holds.",
        labels=("state",),
    )
    for state in ("waiting", "delayed", "in_flight"):
        messages.add_metric((state,), getattr(levels, state))
    yield messages
    yield _gauge("tandem_dead_letters", "About how many tasks were given up.", levels.dead_letters)
    yield _gauge(
        "tandem_oldest_waiting_seconds",
        "How long the oldest queued task waits; 0 when none does.",
        levels.oldest_waiting_seconds or 0.0,
        unit="seconds",
    )
    yield _gauge("tandem_overdue_tasks", "Tasks that the latest sweep found overdue.", levels.swept)


def _gauge(name: str, text: str, value: float, *, unit: str = "") -> Metric:
    family = GaugeMetricFamily(name, text, labels=(), unit=unit)
    family.add_metric((), value)
    return family


def _labels(series: Series) -> tuple[str, str, str]:
    return (series.processor, series.mode.value, series.outcome.value)


def _cumulative(buckets: Iterable[int]) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(buckets), strict=True))
