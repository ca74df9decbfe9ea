"""Whether the API is alive, and whether what it stands on is."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from api.identity import Reader
from api.problems import Problem
from api.services import Services

open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


class HealthView(BaseModel):
    """The API is alive."""

    status: Literal["ok"] = "ok"


class DeepHealthView(HealthView):
    """What the API stands on answers."""

    parts: dict[str, Literal["ok", "failing"]]


@open_router.get(
    "/health",
    operation_id="get_health",
    response_model=HealthView,
    responses={307: {"description": "Where the deep check is: it needs a token."}},
)
async def get_health(
    *, deep: Annotated[bool, Query(description="Ask for the deep check instead.")] = False
) -> HealthView | Response:
    """Answer as soon as the function runs; touches nothing else and needs no token."""
    if deep:
        return RedirectResponse("/health/deep", HTTPStatus.TEMPORARY_REDIRECT)
    return HealthView()


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
