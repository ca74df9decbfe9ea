"""A processor of the soak: leaves a mark of every attempt that did its work. Dropped in."""

import os
import time
from typing import Literal

from pydantic import BaseModel

from tandem.processing import Permanent, Retry, TaskContext, processor

_LOOK_SECONDS = 0.1


class Input(BaseModel):
    """Which task it is, how its first attempts end, and where its effects are written."""

    number: int
    ledger: str
    """A file that gets one line from every attempt that has done its work: what it effects."""
    ending: Literal["error", "permanent", "exit"] = "error"
    bad_attempts: int = 0
    seconds: float = 0


class Output(BaseModel):
    """Which attempt succeeded."""

    attempt: int


@processor("soak", retry=Retry(attempts=6, min_backoff_seconds=1), time_limit=15)
def soak(data: Input, ctx: TaskContext) -> Output:
    """Work for a while, and end as the input says."""
    _work(data.seconds, ctx)
    if ctx.attempt <= data.bad_attempts:
        _end(data.ending)
    _write(data.ledger, f"{data.number} {ctx.attempt} {os.getpid()}\n")
    return Output(attempt=ctx.attempt)


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


def _write(ledger: str, line: str) -> None:
    # One write to a file opened for appending: never mixed with another process's, never half.
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
