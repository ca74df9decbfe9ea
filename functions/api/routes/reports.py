"""Reading the reports of what was processed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.etag import NOT_MODIFIED, IfNoneMatch, tagged
from api.identity import Operator
from api.instants import Instant
from api.negotiation import JSON_SPOKEN, spoken
from api.problems import Problem, not_found
from api.services import Services
from tandem.domain.window import Window
from tandem.limits import PAGE_REPORTS
from tandem.services.report_views import ReportList, ReportView

router = APIRouter(prefix="/reports", tags=["reports"])

_SVG = "image/svg+xml"
_PICTURE_SECONDS = 15


@router.get("", operation_id="list_reports", dependencies=[JSON_SPOKEN])
async def list_reports(
    caller: Operator,
    services: Services,
    before: Annotated[Instant | None, Query(description="Only older windows.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_REPORTS)] = 20,
) -> ReportList:
    """Answer with closed report windows, newest first."""
    del caller
    window = Window.holding(before) if before else None
    found = services.reports.latest(before=window, limit=limit)
    return ReportList(
        reports=[ReportView.of(report) for report in found],
        next_before=found[-1].window.start if len(found) == limit else None,
    )


@router.get(
    "/latest",
    operation_id="get_latest_report",
    dependencies=[JSON_SPOKEN],
    responses={404: {"description": "No window has been closed yet."}},
)
async def get_latest_report(caller: Operator, services: Services) -> ReportView:
    """Answer with the window that was closed last."""
    del caller
    found = services.reports.latest(before=None, limit=1)
    if not found:
        raise _none_yet()
    return ReportView.of(found[0])


@router.get(
    "/latest.svg",
    operation_id="get_last_hour_picture",
    response_class=Response,
    responses={
        200: {
            "content": {_SVG: {"schema": {"type": "string"}}},
            "description": "An SVG document of the last 60 windows, without scripts.",
        },
        304: NOT_MODIFIED,
        404: {"description": "No window has been closed yet."},
        406: {"description": "The caller takes no such picture."},
    },
)
async def get_last_hour_picture(
    caller: Operator, services: Services, request: Request, if_none_match: IfNoneMatch = None
) -> Response:
    """Answer with a picture of the last hour: what ended, how long it ran, what waits."""
    del caller
    spoken(request, _SVG)
    from api.picture import hour, page
    from api.picture.elements import STYLE_HASH

    totals = services.reports.totals()
    if totals is None:
        raise _none_yet()
    last = hour.last_minute(totals.closed_through, services.clock.now())
    reports = services.reports.latest(before=last.plus(1), limit=hour.MINUTES)
    headers = {
        "Cache-Control": f"private, max-age={_PICTURE_SECONDS}",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src {STYLE_HASH}; frame-ancestors 'none'; sandbox"
        ),
    }
    picture = page.drawn(hour.Hour(reports, last))
    return tagged(picture, if_none_match, headers, media_type=_SVG)


def _none_yet() -> Problem:
    return not_found("report yet: the first is closed within two minutes")
