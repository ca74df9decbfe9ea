"""Whether the API is alive."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The API is alive."""

    status: Literal["ok"] = "ok"


@router.get("/health", operation_id="get_health")
async def get_health() -> Health:
    """Answer as soon as the function runs; touches nothing else."""
    return Health()
