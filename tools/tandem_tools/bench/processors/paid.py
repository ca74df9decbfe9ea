"""A processor of the soak through faults: has an outside effect by `ctx.once`. Dropped in."""

import json
import os
from typing import Any, Literal
from urllib.request import Request, urlopen

from pydantic import BaseModel

from tandem.processing import Retry, TaskContext, processor

_ANSWERED_WITHIN_SECONDS = 5


class Input(BaseModel):
    """Whom to ask for which effect, and how the first attempt ends."""

    seed: int
    number: int
    url: str
    """A receiver: it books each request, or each idempotency key."""
    unknown: Literal["fail", "again"]
    ending: Literal["", "error", "exit"] = ""
    """`error`: the first attempt fails when it has the answer. `exit`: its process ends before the
    answer is recorded."""


class Output(BaseModel):
    """What was booked."""

    booking: str


@processor("paid", retry=Retry(attempts=5, min_backoff_seconds=0.5), time_limit=12)
def paid(data: Input, ctx: TaskContext) -> Output:
    """Have one effect at the receiver, whatever happens to the attempts."""

    def pay(idempotency_key: str) -> Any:
        body = json.dumps({"seed": data.seed, "number": data.number}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        request = Request(data.url, data=body, headers=headers)  # noqa: S310 - the soak's own URL
        with urlopen(request, timeout=_ANSWERED_WITHIN_SECONDS) as response:  # noqa: S310 - as above
            answer = json.load(response)
        if data.ending == "exit" and ctx.attempt == 1:
            os._exit(1)
        return answer

    answer = ctx.once("pay", pay, unknown=data.unknown)
    if data.ending == "error" and ctx.attempt == 1:
        message = "try later"
        raise ConnectionError(message)
    return Output(booking=answer["id"])
