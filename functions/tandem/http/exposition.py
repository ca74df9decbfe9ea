"""The totals and the latest levels as Prometheus metrics.

Names and units follow https://prometheus.io/docs/practices/naming/. Imported with the first scrape:
no other request needs it.
"""

import gzip
from collections.abc import Iterable, Iterator
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

from tandem.http.headers import takes_coding
from tandem.limits import ANSWER_BYTES
from tandem.reports.counts import Counts, Series
from tandem.reports.histogram import BOUNDS_MS
from tandem.reports.instruments import COUNTERS, HISTOGRAMS
from tandem.reports.report import Levels, Report, Totals
from tandem.reports.sink import SinkState
from tandem.telemetry import logger

_SERIES = ("processor", "mode", "outcome")

_BOUNDS = (*(str(bound / 1000) for bound in BOUNDS_MS), "+Inf")


class Exposition(Collector):
    """What a scrape is answered with: counted from the store, the same by whoever answers."""

    def __init__(
        self,
        totals: Totals | None,
        latest: Report | None,
        *,
        version: str,
        histograms: bool = True,
    ) -> None:
        self._totals = totals
        self._latest = latest
        self._version = version
        self._with_histograms = histograms

    @property
    def without_histograms(self) -> "Exposition":
        """The same without its histograms, which are five sixths of it."""
        return Exposition(self._totals, self._latest, version=self._version, histograms=False)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        counts = self._totals.counts if self._totals else {}
        yield from _counters(counts)
        if self._with_histograms:
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
        if self._latest is not None and self._latest.sinks is not None:
            yield from _sinks(self._latest.sinks)
        about = {"version": self._version}
        yield InfoMetricFamily("tandem_build", "The application that answers.", about)


def fitting(
    exposition: Exposition, accept: str, accept_encoding: str
) -> tuple[bytes, dict[str, str]]:
    """Return the metrics as Lambda can answer with them, and the headers that say how they are.

    A series is 5 KB of text, or a twelfth of that compressed. What is too large for an answer is
    compressed for a scraper that takes that. What still is, has no histograms.
    """
    body, headers = _encoded(exposition, accept, accept_encoding)
    if len(body) > ANSWER_BYTES:
        logger.warning("histograms not shown", bytes=len(body))
        body, headers = _encoded(exposition.without_histograms, accept, accept_encoding)
    return body, headers


def _encoded(
    exposition: Exposition, accept: str, accept_encoding: str
) -> tuple[bytes, dict[str, str]]:
    body, content_type = _rendered(exposition, accept)
    headers = {"content-type": content_type}
    if len(body) > ANSWER_BYTES and takes_coding(accept_encoding, "gzip"):
        # The quickest level: a fiftieth of the time that the text took.
        return gzip.compress(body, 1, mtime=0), headers | {"content-encoding": "gzip"}
    return body, headers


def _rendered(exposition: Exposition, accept: str) -> tuple[bytes, str]:
    """Return the metrics in the format that a scraper takes, and its content type.

    OpenMetrics when it is asked for, else Prometheus' text format 0.0.4.
    """
    try:
        encoder, content_type = choose_encoder(accept)
    except Exception:  # noqa: BLE001 - it reads versions as numbers, and they may be any text
        encoder, content_type = choose_encoder("")
    if not (content_type.isascii() and content_type.isprintable()):  # it repeats the version
        encoder, content_type = choose_encoder("")
    return encoder(exposition), content_type


def _counters(counts: Counts) -> Iterator[Metric]:
    for counter in COUNTERS:
        name, unit = _named(counter.name), "bytes" if counter.unit == "By" else ""
        family = CounterMetricFamily(name, counter.text, labels=_SERIES, unit=unit)
        for series, count in counts.items():
            family.add_metric(_labels(series), counter.value_of(count))
        yield family


def _histograms(counts: Counts) -> Iterator[Metric]:
    for distribution in HISTOGRAMS:
        name = _named(distribution.name)
        family = HistogramMetricFamily(name, distribution.text, labels=_SERIES, unit="seconds")
        for series, count in counts.items():
            histogram = distribution.value_of(count)
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
        value = getattr(levels, state)
        if value is not None:
            messages.add_metric((state,), value)
    yield messages
    yield _gauge("tandem_dead_letters", "About how many tasks were given up.", levels.dead_letters)
    yield _gauge(
        "tandem_oldest_waiting_seconds",
        "How long the oldest queued task waits; 0 when none does.",
        levels.oldest_waiting_seconds,
        unit="seconds",
    )
    yield _gauge("tandem_overdue_tasks", "Tasks that the latest sweep found overdue.", levels.swept)


def _sinks(sinks: Iterable[SinkState]) -> Iterator[Metric]:
    behind = GaugeMetricFamily(
        "tandem_report_sink_windows_behind",
        "How many closed report windows a sink has not got.",
        labels=("sink",),
    )
    failures = GaugeMetricFamily(
        "tandem_report_sink_failures", "How often in a row a sink has failed.", labels=("sink",)
    )
    for sink in sinks:
        behind.add_metric((sink.name,), sink.windows_behind)
        failures.add_metric((sink.name,), sink.failures)
    yield behind
    yield failures


def _gauge(name: str, text: str, value: float | None, *, unit: str = "") -> Metric:
    """Return a gauge. One without a sample of a value that is not known."""
    family = GaugeMetricFamily(name, text, labels=(), unit=unit)
    if value is not None:
        family.add_metric((), value)
    return family


def _named(name: str) -> str:
    return name.replace(".", "_")


def _labels(series: Series) -> tuple[str, str, str]:
    return (series.processor, series.mode.value, series.outcome.value)


def _cumulative(buckets: Iterable[int]) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(buckets), strict=True))
