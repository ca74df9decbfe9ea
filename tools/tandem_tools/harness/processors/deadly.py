"""A processor of the tests that ends its process, and with it whatever runs beside it."""

import os
import time

from pydantic import BaseModel

from tandem.processing import Retry, TaskContext, processor


class Input(BaseModel):
    """Nothing."""


class Output(BaseModel):
    """Nothing."""


@processor("deadly", retry=Retry(attempts=1), time_limit=8)
def deadly(data: Input, ctx: TaskContext) -> Output:
    """End the process, once what else is to run in it has begun."""
    time.sleep(1)
    os._exit(1)
