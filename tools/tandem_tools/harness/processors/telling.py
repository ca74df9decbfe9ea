"""A processor of the tests that puts its input wherever an error may put it."""

import os
import time
from typing import Literal

from pydantic import BaseModel, field_validator

from tandem.processing import Permanent, Retry, TaskContext, processor


class Input(BaseModel):
    """A text, and how the attempt ends that was given it."""

    text: str
    ending: Literal["success", "error", "permanent", "output", "system exit", "exit", "hang"]


class Output(BaseModel):
    """The text."""

    text: str

    @field_validator("text")
    @classmethod
    def _not_too_long(cls, text: str) -> str:
        if len(text) > 1000:
            message = f"too long: {text}"
            raise ValueError(message)
        return text


@processor("telling", retry=Retry(attempts=2, min_backoff_seconds=0.1), time_limit=4)
def telling(data: Input, ctx: TaskContext) -> Output:
    """End as the input says, with its text."""
    ctx.progress(0, 1, data.text)
    match data.ending:
        case "error":
            raise ConnectionError(data.text) from KeyError(data.text)
        case "permanent":
            raise Permanent(data.text)
        case "output":
            return Output(text=data.text * 1000)
        case "system exit":
            raise SystemExit(data.text)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(8)
    return Output(text=data.text)
