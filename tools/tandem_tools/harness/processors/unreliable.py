"""A processor of the tests: fails, hangs or dies as its input says. Dropped into the artifact."""

import os
import time
from typing import Literal

from pydantic import BaseModel

from tandem.processing import Permanent, Retry, RetryAfter, TaskContext, processor


class Input(BaseModel):
    """How the first attempts end. After them the task succeeds."""

    ending: Literal["error", "permanent", "exit", "hang", "wait", "limited"] = "error"
    bad_attempts: int = 0
    sleep_seconds: float = 0
    retry_after_seconds: float = 0


class Output(BaseModel):
    """Which attempt succeeded."""

    attempt: int


@processor("unreliable", retry=Retry(attempts=4, min_backoff_seconds=1), time_limit=8)
def unreliable(data: Input, ctx: TaskContext) -> Output:
    """Fail as often as the input says."""
    ctx.logger.info("unreliable runs", attempt=ctx.attempt)
    time.sleep(data.sleep_seconds)
    if ctx.attempt <= data.bad_attempts:
        _end(data, ctx)
    return Output(attempt=ctx.attempt)


def _end(data: Input, ctx: TaskContext) -> None:
    ending = data.ending
    if ending == "exit":
        os._exit(1)
    if ending == "hang":
        time.sleep(20)
    if ending == "wait":
        for second in range(70):
            ctx.progress(second, 7)
            ctx.check_cancelled()
            time.sleep(0.1)
    if ending == "limited":
        raise RetryAfter(data.retry_after_seconds, "the service takes no more")
    if ending == "permanent":
        raise Permanent("nobody can do this")
    raise ConnectionError("try later")
