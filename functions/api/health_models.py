"""Health as the API answers it."""

from typing import Literal

from pydantic import BaseModel


class HealthView(BaseModel):
    """The API is alive."""

    status: Literal["ok"] = "ok"
