"""The route that Prometheus scrapes."""

from fastapi import APIRouter, Request, Response

from tandem.http.dependencies import Operator, Services
from tandem.reports.report import Report
from tandem.telemetry import logger
from tandem.trace import described

router = APIRouter(tags=["reports"])

_FORMATS = {
    "text/plain": {"schema": {"type": "string"}},
    "application/openmetrics-text": {"schema": {"type": "string"}},
}


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    responses={200: {"content": _FORMATS, "description": "In the format that Accept prefers."}},
)
async def get_metrics(
    caller: Operator,
    services: Services,
    request: Request,
) -> Response:
    """Answer with Prometheus metrics: totals since the first report, and the latest levels.

    They are counted from the store, each finished task once: it does not matter which function
    answers, how often, or after which restart.
    """
    del caller
    from tandem.http.exposition import Exposition, fitting

    totals = services.reports.totals()
    exposition = Exposition(totals, _latest(services), version=request.app.version)
    taken = (request.headers.get(name, "") for name in ("accept", "accept-encoding"))
    body, headers = fitting(exposition, *taken)
    return Response(body, headers=headers)


def _latest(services: Services) -> Report | None:
    """Return the latest report, whose levels are shown. None when there is none to be read."""
    try:
        return next(iter(services.reports.latest(before=None, limit=1)), None)
    except Exception as error:  # noqa: BLE001 - the totals are known: they are not hidden by it
        logger.error("levels not shown", **described(error))
        return None
