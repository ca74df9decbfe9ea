"""The liveness of the API."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from tandem.http.headers import JSON_SPOKEN


class HealthView(BaseModel):
    """The API is alive."""

    status: Literal["ok"] = "ok"


router = APIRouter(tags=["health"], dependencies=[JSON_SPOKEN])


@router.get(
    "/health",
    operation_id="get_health",
    response_model=HealthView,
    responses={307: {"description": "Where the deep check is: it needs a token."}},
)
async def get_health(
    *, deep: Annotated[bool, Query(description="Ask for the deep check instead.")] = False
) -> HealthView | Response:
    """Answer as soon as the function runs. Touches nothing else and needs no token."""
    if deep:
        return RedirectResponse("/health/deep", HTTPStatus.TEMPORARY_REDIRECT)
    return HealthView()
