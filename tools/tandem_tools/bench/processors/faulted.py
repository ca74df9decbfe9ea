"""A processor of the soak through faults: marks each attempt that did its work. Dropped in."""

import os
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from tandem.processing import Permanent, Retry, TaskContext, processor

_LOOK_SECONDS = 0.1


class Input(BaseModel):
    """Which task it is, how its attempts end, and where its effects are written."""

    number: int
    ledger: str
    """A file that gets one line from every attempt that has done its work: its effect."""
    ending: Literal["error", "permanent", "exit"] = "error"
    bad_attempts: int = 0
    mended_by: str = ""
    """A file. From when it is there, no attempt ends badly."""
    seconds: float = 0
    ballast: str = ""


class Output(BaseModel):
    """Which attempt succeeded, and the input's ballast."""

    attempt: int
    ballast: str


@processor("faulted", retry=Retry(attempts=5, min_backoff_seconds=0.5), time_limit=9)
def faulted(data: Input, ctx: TaskContext) -> Output:
    """Work for a while, and end as the input says."""
    _work(data.seconds, ctx)
    if ctx.attempt <= data.bad_attempts and not (data.mended_by and Path(data.mended_by).exists()):
        _end(data.ending)
    _effect(data, ctx)
    return Output(attempt=ctx.attempt, ballast=data.ballast)


def _work(seconds: float, ctx: TaskContext) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))
        ctx.check_cancelled()


def _end(ending: str) -> None:
    if ending == "exit":
        os._exit(1)
    if ending == "permanent":
        raise Permanent("nobody can do this")
    raise ConnectionError("try later")


def _effect(data: Input, ctx: TaskContext) -> None:
    """Have the outside effect of the task."""
    line = f"{data.number} {ctx.task_id} {ctx.attempt} {os.getpid()}\n"
    # One write to a file opened for appending: never mixed with another process's, never half.
    file = os.open(data.ledger, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
