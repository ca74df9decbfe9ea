"""Processors that share a process, and what the worst of them do to it."""

import os
import random
import re
import time
from typing import Any

from pydantic import BaseModel

from tandem.ids import TenantId
from tandem.processing import Retry, TaskContext, processor
from tandem.processing.catalogue import Catalogue
from tandem.processing.processor import AnyProcessor
from tandem.tasks.submit import NewTask
from tandem.tasks.task import Task
from tandem.testing import MemoryWiring
from tests.factories.chaos import Panic, make_chaos

QUICK = Retry(attempts=2, min_backoff_seconds=1, max_backoff_seconds=2)


class Input(BaseModel):
    number: int = 0


class Output(BaseModel):
    number: int = 0


def _healthy(data: Input, ctx: TaskContext) -> Output:
    for _ in range(3):
        ctx.check_cancelled()
        time.sleep(0.02)
    return Output(number=data.number)


def _panics(data: Input, ctx: TaskContext) -> Output:
    raise Panic


def _hogs(data: Input, ctx: TaskContext) -> Output:
    # It backtracks for some tenths of a second, and holds the interpreter's lock all the while.
    return Output(number=bool(re.match(r"(a+)+$", "a" * 22 + "b")))


def _exits(data: Input, ctx: TaskContext) -> Output:
    time.sleep(random.random() / 5)  # noqa: S311 - anywhere in its neighbours' work
    os._exit(1)


def _sleeps(data: Input, ctx: TaskContext) -> Output:
    time.sleep(20)
    return Output()


def neighbours() -> Catalogue:
    """Return the processors, which do what their names say."""
    return Catalogue(
        [
            _made("healthy", _healthy, retry=Retry(attempts=1)),
            _made("panics", _panics, retry=QUICK),
            _made("hogs", _hogs, retry=QUICK),
            _made("exits", _exits, retry=QUICK),
            _made("exits-once", _exits, retry=Retry(attempts=1, crashes=0)),
            _made("sleeps", _sleeps, retry=QUICK, time_limit=0.3),
            make_chaos(),
        ]
    )


def _made(name: str, run: Any, **options: Any) -> AnyProcessor:
    def work(data: Input, ctx: TaskContext) -> Output:
        output: Output = run(data, ctx)
        return output

    return processor(name, **options)(work)


def submit(wiring: MemoryWiring, name: str, document: bytes = b"{}") -> Task:
    """Submit a task of the processor of this name."""
    new = NewTask(
        tenant=TenantId("acme"),
        processor=wiring.catalogue[name],
        document=document,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    return wiring.submissions.offline(new)
