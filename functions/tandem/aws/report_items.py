"""Reports and totals as JSON documents."""

import json
from dataclasses import asdict
from typing import Any

from tandem.clock import from_text, to_text
from tandem.ids import TaskId, TenantId
from tandem.reports.counts import Count, Counts, Series
from tandem.reports.histogram import Histogram
from tandem.reports.report import Levels, Report, Totals
from tandem.reports.sink import SinkState
from tandem.reports.talkers import Talker
from tandem.reports.tally import Durations, Example, Percentiles
from tandem.reports.window import Window
from tandem.tasks.task import Mode, State

type Json = dict[str, Any]


def dump_report(report: Report) -> str:
    """Return the report as JSON text."""
    return _text(
        {
            "window": report.window.name,
            "closed_at": to_text(report.closed_at),
            "counts": _dump_counts(report.counts),
            "late": {window.name: _dump_counts(counts) for window, counts in report.late.items()},
            "durations": {
                processor: {
                    "queue_wait": _dump_percentiles(durations.queue_wait),
                    "run": _dump_percentiles(durations.run),
                }
                for processor, durations in report.durations.items()
            },
            "tenants": [
                [tenant.tenant, tenant.tasks, tenant.overcount] for tenant in report.tenants
            ],
            "examples": [
                [*_names(series), example.task_id, example.traceparent, example.run_seconds]
                for series, example in report.examples.items()
            ],
            "levels": report.levels and asdict(report.levels),
            "sinks": None if report.sinks is None else [_dump_sink(sink) for sink in report.sinks],
        }
    )


def load_report(text: str) -> Report:
    """Return the report that `dump_report` wrote."""
    document: Json = json.loads(text)
    levels = document["levels"]
    return Report(
        Window.named(document["window"]),
        from_text(document["closed_at"]),
        _load_counts(document["counts"]),
        {
            processor: Durations(
                _load_percentiles(durations["queue_wait"]), _load_percentiles(durations["run"])
            )
            for processor, durations in document["durations"].items()
        },
        tuple(Talker(TenantId(tenant), tasks, over) for tenant, tasks, over in document["tenants"]),
        Levels(**levels) if levels else None,
        {
            _series(*names): Example(TaskId(task_id), traceparent, run_seconds)
            for *names, task_id, traceparent, run_seconds in document["examples"]
        },
        {Window.named(name): _load_counts(counts) for name, counts in document["late"].items()},
        _load_sinks(document.get("sinks")),
    )


def dump_totals(totals: Totals) -> str:
    """Return the totals as JSON text."""
    windows = {"since": totals.since.name, "closed_through": totals.closed_through.name}
    return _text(windows | {"counts": _dump_counts(totals.counts)})


def load_totals(text: str) -> Totals:
    """Return the totals that `dump_totals` wrote."""
    document = json.loads(text)
    through = document["closed_through"]
    return Totals(
        # Without it, they are of a version that did not keep it: they are known to be as old.
        Window.named(document.get("since", through)),
        Window.named(through),
        _load_counts(document["counts"]),
    )


def _text(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"))


def _dump_counts(counts: Counts) -> list[list[Any]]:
    return [
        [
            *_names(series),
            count.numbers,
            _dump_histogram(count.queue_wait),
            _dump_histogram(count.run),
        ]
        for series, count in counts.items()
    ]


def _load_counts(rows: list[list[Any]]) -> Counts:
    return {
        _series(*names): Count.of(numbers, _load_histogram(wait), _load_histogram(run))
        for *names, numbers, wait, run in rows
    }


def _names(series: Series) -> tuple[str, str, str]:
    return (series.processor, series.mode, series.outcome)


def _series(processor: str, mode: str, outcome: str) -> Series:
    return Series(processor, Mode(mode), State(outcome))


def _dump_histogram(histogram: Histogram) -> list[int]:
    return [histogram.total_ms, *histogram.buckets]


def _load_histogram(numbers: list[int]) -> Histogram:
    total_ms, *buckets = numbers
    return Histogram(tuple(buckets), total_ms)


def _dump_percentiles(percentiles: Percentiles | None) -> list[float] | None:
    return [percentiles.p50, percentiles.p95, percentiles.p99] if percentiles else None


def _load_percentiles(values: list[float] | None) -> Percentiles | None:
    return Percentiles(*values) if values else None


def _dump_sink(sink: SinkState) -> Json:
    since = sink.failing_since
    return asdict(sink) | {
        "published_through": sink.published_through.name,
        "failing_since": since and to_text(since),
    }


def _load_sinks(documents: list[Json] | None) -> tuple[SinkState, ...] | None:
    if documents is None:
        return None
    return tuple(
        SinkState(
            **document
            | {
                "published_through": Window.named(document["published_through"]),
                "failing_since": document["failing_since"] and from_text(document["failing_since"]),
            }
        )
        for document in documents
    )
