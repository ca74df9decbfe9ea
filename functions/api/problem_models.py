"""Problem documents as models: only the OpenAPI document needs them."""

from pydantic import BaseModel, Field


class InvalidPart(BaseModel):
    """One part of a request that is not as it should be."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to it.", examples=["/body/input"])
    detail: str


class ProblemDocument(BaseModel):
    """What every error answers with (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of problem.")
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[InvalidPart] | None = Field(None, description="Of an invalid request.")
    task_id: str | None = Field(None, description="The task that it is about.")
