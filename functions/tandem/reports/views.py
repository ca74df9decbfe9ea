"""Reports as the API answers them and sinks are sent them."""

from datetime import datetime

from pydantic import BaseModel, Field

from tandem.reports.counts import Count, Series
from tandem.reports.histogram import BOUNDS_MS, RELATIVE_ERROR, Histogram
from tandem.reports.report import MOST_EXAMPLES, Levels, Report
from tandem.reports.sink import SinkState
from tandem.reports.talkers import Talker
from tandem.reports.tally import Example, Percentiles
from tandem.tasks.task import Mode, State
from tandem.trace import trace_id

_BOUNDS = ", ".join(f"{bound / 1000:g}" for bound in BOUNDS_MS)


class HistogramView(BaseModel):
    """How many durations were at most so long. Not cumulative."""

    count: int
    sum_seconds: float
    buckets: list[int] = Field(
        description=f"One for each bound in seconds ({_BOUNDS}), and one for what is longer."
    )

    @staticmethod
    def of(histogram: Histogram) -> "HistogramView":
        """Return the view of a histogram."""
        return HistogramView(
            count=histogram.count,
            sum_seconds=histogram.total_ms / 1000,
            buckets=list(histogram.buckets),
        )


class ExampleView(BaseModel):
    """A task, and how to find what was logged of it."""

    task_id: str
    trace_id: str | None = Field(description="The log lines' correlation_id.")
    run_seconds: float

    @staticmethod
    def of(example: Example | None) -> "ExampleView | None":
        """Return the view of an example. None of none."""
        if example is None:
            return None
        return ExampleView(
            task_id=example.task_id,
            trace_id=trace_id(example.traceparent),
            run_seconds=example.run_seconds,
        )


class SeriesView(BaseModel):
    """How many tasks of one kind ended in one way."""

    processor: str
    mode: Mode
    outcome: State
    tasks: int
    attempts: int
    retries: int = Field(description="Of the attempts that counted, those after a task's first.")
    faults: int = Field(
        description="Of the tasks, those that failed by a fault that is not their caller's."
    )
    cached: int = Field(description="Answered from a kept result, with no run.")
    swept: int = Field(description="How often they were found overdue on their way.")
    bytes_in: int = Field(description="Of their inputs; uploads are not counted.")
    bytes_out: int = Field(description="Of their outputs and files.")
    queue_wait: HistogramView = Field(description="From submission to the first attempt.")
    run: HistogramView = Field(description="Of the last attempt.")

    longest: ExampleView | None = Field(
        description=(
            "The task that ran longest in the minute itself; null when none ran, and beyond the "
            f"{MOST_EXAMPLES} kinds of tasks that ran longest."
        )
    )

    @staticmethod
    def of(series: Series, count: Count, example: Example | None) -> "SeriesView":
        """Return the view of a series."""
        return SeriesView(
            processor=series.processor,
            mode=series.mode,
            outcome=series.outcome,
            tasks=count.tasks,
            attempts=count.attempts,
            retries=count.retries,
            faults=count.faults,
            cached=count.cached,
            swept=count.sweeps,
            bytes_in=count.bytes_in,
            bytes_out=count.bytes_out,
            queue_wait=HistogramView.of(count.queue_wait),
            run=HistogramView.of(count.run),
            longest=ExampleView.of(example),
        )


class PercentilesView(BaseModel):
    """Percentiles in seconds."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(values: Percentiles | None) -> "PercentilesView | None":
        """Return the view of percentiles. None of none."""
        return PercentilesView(p50=values.p50, p95=values.p95, p99=values.p99) if values else None


class DurationsView(BaseModel):
    """How long a processor's tasks waited and ran. Null where none did."""

    processor: str
    queue_wait_seconds: PercentilesView | None
    run_seconds: PercentilesView | None


class TenantView(BaseModel):
    """A tenant among those with most tasks."""

    tenant: str
    tasks: int
    overcount: int = Field(description="By how much `tasks` may be too high.")

    @staticmethod
    def of(talker: Talker) -> "TenantView":
        """Return the view of a tenant."""
        return TenantView(tenant=talker.tenant, tasks=talker.tasks, overcount=talker.overcount)


class LevelsView(BaseModel):
    """What was in flight when the window was closed. Queue numbers are approximate.

    Null stands for what could not be read just then.
    """

    waiting: int | None = Field(description="Messages that wait for the worker.")
    delayed: int | None = Field(description="Messages that the queue keeps back until later.")
    in_flight: int | None = Field(description="Messages that the worker has.")
    dead_letters: int | None
    oldest_waiting_seconds: float | None = Field(description="0 when nothing waits.")
    swept: int | None = Field(description="Tasks that were found overdue just then.")

    @staticmethod
    def of(levels: Levels | None) -> "LevelsView | None":
        """Return the view of levels. None of none."""
        return LevelsView.model_validate(levels, from_attributes=True) if levels else None


class SinkView(BaseModel):
    """How one of those that reports are sent to stood when the window was closed."""

    name: str
    published_through: datetime = Field(description="The start of the last window that it took.")
    windows_behind: int = Field(description="How many closed windows it has not got.")
    failures: int = Field(description="How often in a row it failed.")
    failing_since: datetime | None
    error: str | None = Field(description="Why it failed last; null when it did not.")

    @staticmethod
    def of(sink: SinkState) -> "SinkView":
        """Return the view of a sink."""
        return SinkView(
            name=sink.name,
            published_through=sink.published_through.start,
            windows_behind=sink.windows_behind,
            failures=sink.failures,
            failing_since=sink.failing_since,
            error=sink.error,
        )


class ReportView(BaseModel):
    """What finished in one UTC minute."""

    window: datetime = Field(description="The minute's start; it ends 60 seconds later.")
    closed_at: datetime
    tasks: int
    late: int = Field(
        description="How many of them finished in earlier windows and came too late for theirs."
    )
    counts: list[SeriesView]
    durations: list[DurationsView] = Field(
        description=f"Of the minute itself; percentiles are right within {RELATIVE_ERROR:.0%}."
    )
    tenants: list[TenantView] = Field(description="Those with most tasks in the minute itself.")
    levels: LevelsView | None = Field(description="Null when the window was closed late.")
    sinks: list[SinkView] | None = Field(description="Null where the levels are.")

    @staticmethod
    def of(report: Report) -> "ReportView":
        """Return the view of a report."""
        return ReportView(
            window=report.window.start,
            closed_at=report.closed_at,
            tasks=report.tasks,
            late=report.late_tasks,
            counts=[
                SeriesView.of(series, count, report.examples.get(series))
                for series, count in report.counts.items()
            ],
            durations=[
                DurationsView(
                    processor=processor,
                    queue_wait_seconds=PercentilesView.of(durations.queue_wait),
                    run_seconds=PercentilesView.of(durations.run),
                )
                for processor, durations in report.durations.items()
            ],
            tenants=[TenantView.of(talker) for talker in report.tenants],
            levels=LevelsView.of(report.levels),
            sinks=None if report.sinks is None else [SinkView.of(sink) for sink in report.sinks],
        )


class ReportList(BaseModel):
    """Closed windows, newest first."""

    reports: list[ReportView]
    next_before: datetime | None = Field(description="Give it as `before` for older windows.")
