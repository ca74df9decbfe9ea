"""Reports as a picture."""

from fastapi import APIRouter, Request, Response

from tandem.http.dependencies import Operator, Services
from tandem.http.headers import NOT_MODIFIED, IfNoneMatch, spoken, tagged
from tandem.http.problems import not_found
from tandem.http.routes.reports import NONE_YET

router = APIRouter(prefix="/reports", tags=["reports"])

_SVG = "image/svg+xml"
_PICTURE_SECONDS = 15


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
    from tandem.http.charts import last_hour, page
    from tandem.http.charts.elements import STYLE_HASH

    totals = services.reports.totals()
    if totals is None:
        raise not_found(NONE_YET)
    last = last_hour.last_minute(totals.closed_through, services.clock.now())
    reports = services.reports.latest(before=last.plus(1), limit=last_hour.MINUTES)
    headers = {
        "Cache-Control": f"private, max-age={_PICTURE_SECONDS}",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src {STYLE_HASH}; frame-ancestors 'none'; sandbox"
        ),
    }
    picture = page.drawn(last_hour.Hour(reports, last))
    return tagged(picture, if_none_match, headers, media_type=_SVG)
