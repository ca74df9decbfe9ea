"""A processor of the tests that makes an outside effect."""

from pydantic import BaseModel

from tandem.processing import TaskContext, processor


class Input(BaseModel):
    """Nothing."""


class Output(BaseModel):
    """The key that the effect's receiver is given."""

    idempotency_key: str


@processor("charging", time_limit=8)
def charging(data: Input, ctx: TaskContext) -> Output:
    """Charge once, and return the key of it."""
    return Output(idempotency_key=ctx.once("charge", lambda key: key))
