"""Reading the reports of what was processed."""

from datetime import UTC, datetime
from itertools import accumulate
from typing import Annotated

from fastapi import APIRouter, Query

from tandem.http.dependencies import Operator, Services
from tandem.http.headers import JSON_SPOKEN
from tandem.http.problems import not_found
from tandem.http.strict_json import Instant
from tandem.limits import ANSWER_SERIES, PAGE_REPORTS
from tandem.reports.report import Report
from tandem.reports.views import ReportList, ReportView
from tandem.reports.window import Window

router = APIRouter(prefix="/reports", tags=["reports"], dependencies=[JSON_SPOKEN])

NONE_YET = "report yet: the first is closed within two minutes"
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
"""No window is older. Near the year 1 there would be no window before."""


@router.get("", operation_id="list_reports")
async def list_reports(
    caller: Operator,
    services: Services,
    before: Annotated[Instant | None, Query(description="Only older windows.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_REPORTS)] = 20,
) -> ReportList:
    """Answer with closed report windows, newest first: up to `limit`, or as many as fit."""
    del caller
    window = Window.holding(max(before, _BEFORE_ALL)) if before else None
    found = services.reports.latest(before=window, limit=limit)
    page = _fitting(found)
    more = len(found) == limit or len(page) < len(found)
    return ReportList(
        reports=[ReportView.of(report) for report in page],
        next_before=page[-1].window.start if more else None,
    )


def _fitting(reports: list[Report]) -> list[Report]:
    """Return the first report, and those after it that one answer can hold as well."""
    sizes = accumulate(len(report.counts) for report in reports)
    return [
        report
        for number, (report, size) in enumerate(zip(reports, sizes, strict=True))
        if not number or size <= ANSWER_SERIES
    ]


@router.get(
    "/latest",
    operation_id="get_latest_report",
    responses={404: {"description": "No window has been closed yet."}},
)
async def get_latest_report(caller: Operator, services: Services) -> ReportView:
    """Answer with the window that was closed last."""
    del caller
    found = services.reports.latest(before=None, limit=1)
    if not found:
        raise not_found(NONE_YET)
    return ReportView.of(found[0])
