"""A processor of the tests that puts its input wherever an error may put it."""

import asyncio
import gc
import os
import threading
import time
import warnings
from typing import Any, Literal

from pydantic import BaseModel, field_validator

from tandem.processing import Permanent, Retry, TaskContext, processor


class Input(BaseModel):
    """A text, and how the attempt ends that was given it."""

    text: str
    ending: Literal[
        "success", "error", "permanent", "output", "system exit", "exit", "hang", "aside"
    ]
    parts: str | None = None

    @field_validator("parts")
    @classmethod
    def _apart(cls, parts: str | None) -> Any:
        """Return what is no text: a document of the input holds another type than its field."""
        return parts.split() if isinstance(parts, str) else parts


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
        case "aside":
            _fail_aside(data.text)
        case "hang":
            time.sleep(8)
    return Output(text=data.text)


def _fail_aside(text: str) -> None:
    """Fail where nobody catches it, and warn, with a text."""

    def fail() -> None:
        raise ValueError(text)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    class Finalized:
        def __del__(self) -> None:
            fail()

    Finalized()

    async def task() -> None:
        fail()

    async def forgetful() -> None:
        forgotten = asyncio.create_task(task())
        await asyncio.wait([forgotten])

    asyncio.run(forgetful())
    gc.collect()
    warnings.warn(text, stacklevel=2)
