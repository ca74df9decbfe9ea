"""Processors that end as a test wants."""

from collections.abc import Callable
from threading import Event
from typing import Any

from pydantic import BaseModel

from tandem.ids import TenantId
from tandem.processing import Permanent, Retry, TaskContext, processor
from tandem.processing.catalogue import Catalogue
from tandem.settings import Settings
from tandem.tasks.submit import NewTask
from tandem.testing import MemoryWiring


class Number(BaseModel):
    value: int = 0
    text: str = ""


RETRY = Retry(attempts=3, min_backoff_seconds=4)


def make_processor(run: Callable[[Number, TaskContext], Any], **options: Any) -> Any:
    """Return a processor named `work` that does what the function does."""

    def work(data: Number, ctx: TaskContext) -> Number:
        result: Number = run(data, ctx)
        return result

    return processor("work", **{"retry": RETRY} | options)(work)


def double(data: Number, ctx: TaskContext) -> Number:
    return Number(value=2 * data.value)


def refuse(data: Number, ctx: TaskContext) -> Number:
    raise Permanent("no such column")


def break_down(data: Number, ctx: TaskContext) -> Number:
    raise ConnectionError("try later")


class Stuck:
    """A processor that does not come back until it is let go."""

    def __init__(self) -> None:
        self.let_go = Event()

    def __call__(self, data: Number, ctx: TaskContext) -> Number:
        self.let_go.wait(30)
        return data


def new_work(wiring: MemoryWiring, document: bytes = b'{"value":21}', **fields: Any) -> NewTask:
    """Return a task of the processor `work` to submit."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    return NewTask(
        **{
            "tenant": TenantId("acme"),
            "processor": wiring.catalogue["work"],
            "document": document,
            "traceparent": trace,
        }
        | fields
    )


def make_wiring(
    run: Callable[[Number, TaskContext], Any], *, settings: Settings | None = None, **options: Any
) -> MemoryWiring:
    """Return the application in memory with one processor, `work`."""
    return MemoryWiring(settings, catalogue=Catalogue([make_processor(run, **options)]))
