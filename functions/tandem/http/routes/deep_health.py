"""The route of deep health."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter

from tandem.http.dependencies import Reader, Services
from tandem.http.headers import JSON_SPOKEN
from tandem.http.problems import Problem
from tandem.http.routes.health import HealthView

router = APIRouter(tags=["health"], dependencies=[JSON_SPOKEN])


class DeepHealthView(HealthView):
    """What the API stands on answers."""

    parts: dict[str, Literal["ok", "failing"]]


@router.get(
    "/health/deep",
    operation_id="get_deep_health",
    responses={503: {"description": "A part does not answer; `parts` names it."}},
)
async def get_deep_health(caller: Reader, services: Services) -> DeepHealthView:
    """Answer when the table, the queue and the bucket can be reached: each is read once."""
    del caller
    parts = services.health.check()
    named: dict[str, Literal["ok", "failing"]] = {
        part: "ok" if answered else "failing" for part, answered in parts.items()
    }
    if not all(parts.values()):
        failing = ", ".join(part for part, answered in parts.items() if not answered)
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unhealthy",
            f"Does not answer: {failing}.",
            headers={"Retry-After": "10"},
            parts=named,
        )
    return DeepHealthView(parts=named)
