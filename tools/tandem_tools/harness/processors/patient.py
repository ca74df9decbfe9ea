"""A processor of the tests that looks, after a second, whether its owner wants it stopped."""

import time

from pydantic import BaseModel

from tandem.limits import CANCEL_CHECK
from tandem.processing import TaskContext, processor


class Input(BaseModel):
    """Nothing."""


class Output(BaseModel):
    """Nothing."""


@processor("patient", time_limit=8)
def patient(data: Input, ctx: TaskContext) -> Output:
    """Wait until the next look at the task is due, and look."""
    time.sleep(CANCEL_CHECK.total_seconds())
    ctx.check_cancelled()
    return Output()
