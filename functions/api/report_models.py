"""Reports as the API answers them."""

from datetime import datetime

from pydantic import BaseModel, Field

from tandem.domain.report import Percentiles, Report
from tandem.domain.task import Mode, State


class SeriesView(BaseModel):
    """How many tasks of one kind ended in one way."""

    processor: str
    mode: Mode
    outcome: State
    tasks: int
    attempts: int
    cached: int = Field(description="Answered from a kept result, with no run.")
    swept: int = Field(description="How often they were found overdue on their way.")


class PercentilesView(BaseModel):
    """Nearest-rank percentiles, in seconds."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(values: Percentiles | None) -> "PercentilesView | None":
        """Return the view of percentiles; None of none."""
        return PercentilesView(p50=values.p50, p95=values.p95, p99=values.p99) if values else None


class DurationsView(BaseModel):
    """How long a processor's tasks waited and ran; null where none did."""

    processor: str
    queue_wait_seconds: PercentilesView | None
    run_seconds: PercentilesView | None


class ReportView(BaseModel):
    """What finished in one UTC minute."""

    window: datetime = Field(description="The minute's start; it ends 60 seconds later.")
    closed_at: datetime
    tasks: int
    late: int = Field(
        description="How many of them finished in earlier windows and came too late for theirs."
    )
    counts: list[SeriesView]
    durations: list[DurationsView]

    @staticmethod
    def of(report: Report) -> "ReportView":
        """Return the view of a report."""
        return ReportView(
            window=report.window.start,
            closed_at=report.closed_at,
            tasks=sum(count.tasks for count in report.counts.values()),
            late=sum(count.tasks for missed in report.late.values() for count in missed.values()),
            counts=[
                SeriesView(
                    processor=series.processor,
                    mode=series.mode,
                    outcome=series.outcome,
                    tasks=count.tasks,
                    attempts=count.attempts,
                    cached=count.cached,
                    swept=count.sweeps,
                )
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
        )


class ReportList(BaseModel):
    """Closed windows, newest first."""

    reports: list[ReportView]
    next_before: datetime | None = Field(description="Give it as `before` for older windows.")
