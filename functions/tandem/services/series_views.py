"""Counts of one series as reports show them."""

from pydantic import BaseModel, Field

from tandem.domain.counts import Count, Series
from tandem.domain.histogram import BOUNDS_MS, Histogram
from tandem.domain.report import MOST_EXAMPLES
from tandem.domain.tally import Example
from tandem.domain.task import Mode, State
from tandem.trace import trace_id

_BOUNDS = ", ".join(f"{bound / 1000:g}" for bound in BOUNDS_MS)


class HistogramView(BaseModel):
    """How many durations were at most so long; not cumulative."""

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
        """Return the view of an example; None of none."""
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
