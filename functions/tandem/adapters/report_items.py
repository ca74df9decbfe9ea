"""Reports and totals as JSON documents."""

import json
from typing import Any

from tandem.domain.clock import from_text, to_text
from tandem.domain.counts import Count, Counts, Series
from tandem.domain.report import Durations, Percentiles, Report, Totals
from tandem.domain.task import Mode, State
from tandem.domain.window import Window


def dump_report(report: Report) -> str:
    """Return the report as JSON text."""
    return json.dumps(
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
        },
        separators=(",", ":"),
    )


def load_report(text: str) -> Report:
    """Return the report that `dump_report` wrote."""
    document = json.loads(text)
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
        {Window.named(name): _load_counts(counts) for name, counts in document["late"].items()},
    )


def dump_totals(totals: Totals) -> str:
    """Return the totals as JSON text."""
    return json.dumps(
        {"closed_through": totals.closed_through.name, "counts": _dump_counts(totals.counts)},
        separators=(",", ":"),
    )


def load_totals(text: str) -> Totals:
    """Return the totals that `dump_totals` wrote."""
    document = json.loads(text)
    return Totals(Window.named(document["closed_through"]), _load_counts(document["counts"]))


def _dump_counts(counts: Counts) -> list[list[Any]]:
    return [
        [
            series.processor,
            series.mode,
            series.outcome,
            count.tasks,
            count.attempts,
            count.cached,
            count.sweeps,
        ]
        for series, count in counts.items()
    ]


def _load_counts(rows: list[list[Any]]) -> Counts:
    return {
        Series(processor, Mode(mode), State(outcome)): Count(*numbers)
        for processor, mode, outcome, *numbers in rows
    }


def _dump_percentiles(percentiles: Percentiles | None) -> list[float] | None:
    return [percentiles.p50, percentiles.p95, percentiles.p99] if percentiles else None


def _load_percentiles(values: list[float] | None) -> Percentiles | None:
    return Percentiles(*values) if values else None
