"""A pure processor of the tests: what it returns is cached. Dropped into the artifact."""

from pydantic import BaseModel

from tandem.processing import TaskContext, processor


class Number(BaseModel):
    """What comes back."""

    n: int


@processor("constant", cache_for=3600, time_limit=8)
def constant(data: Number, ctx: TaskContext) -> Number:
    """Return the input."""
    return data
