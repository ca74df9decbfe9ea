"""What sinks are sent of a closed window: the same each time that it is sent."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tandem.domain.report import Report
from tandem.domain.window import Window
from tandem.services.report_views import ReportView


class ReportEvent(BaseModel):
    """A window was closed."""

    type: Literal["report.closed"] = "report.closed"
    timestamp: datetime = Field(description="When the window was closed.")
    stack: str
    data: ReportView

    @staticmethod
    def of(report: Report, stack: str) -> "ReportEvent":
        """Return the event of a closed window of a stack."""
        return ReportEvent(timestamp=report.closed_at, stack=stack, data=ReportView.of(report))


def event_id(stack: str, window: Window) -> str:
    """Return the id by which receivers know a window of a stack again."""
    return f"{stack}/report/{window.name}"
