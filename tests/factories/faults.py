"""Ports that stop the process at one of their calls, or fail or misbehave there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from threading import Lock
from typing import Any

from tandem.processing.pool import BoundedPool
from tandem.testing import MemoryWiring

PORTS = (
    "store",
    "effect_store",
    "report_store",
    "blobs",
    "queue",
    "inbox",
    "dead_letter_box",
    "result_cache",
    "callback_store",
    "callback_queue",
    "callback_inbox",
    "callback_dead_letter_box",
    "callback_sender",
    "secrets",
    "sink_store",
    "cloudwatch_sink",
    "report_topic",
    "poster",
)


_NOT_REPEATED = frozenset(
    {
        *("poster.post", "callback_sender.post", "blobs.open"),
        *("dead_letter_box.look", "callback_dead_letter_box.look"),
    }
)
"""Calls that no SDK makes, or whose answer is a stream, or that hide what they return."""


class Stopped(BaseException):
    """The process is gone: nothing of ours may catch it."""


class Kind(StrEnum):
    """What a call does at the fault."""

    STOP_BEFORE = "stop-before"
    STOP_AFTER = "stop-after"
    LOST = "lost"
    """It is carried out and its answer is lost: the SDK makes the same call again."""
    LOST_BETWEEN = "lost-between"
    """The same, and others write in between."""
    RAISES = "raises"
    """It is not carried out: the service cannot be reached."""
    RAISES_AFTER = "raises-after"
    """It is carried out, and so often without an answer that the SDK gives up."""
    LATE = "late"
    """Its answer takes 40 s."""
    PARTIAL = "partial"
    """Of what a queue is sent, half is not, though it says that nothing is wrong with the rest."""


class Unreachable(Exception):
    """The service did not answer."""


@dataclass
class Fault:
    """Counts the calls of all ports, and is in the one of this number."""

    at: int = -1
    kind: Kind = Kind.STOP_BEFORE
    between: Callable[[], None] = lambda: None
    """What others do between a call and its repetition."""
    later: Callable[[], None] = lambda: None
    """Lets 40 s pass."""
    before: str | None = None
    """A call to stop before, by its name."""
    calls: list[str] = field(default_factory=list)
    stopped: bool = False
    _counting: Lock = field(default_factory=Lock)

    def stop(self) -> None:
        """Stop the process."""
        self.stopped = True
        raise Stopped

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with the fault in it."""

        def faulty(*arguments: Any, **options: Any) -> Any:
            if self.stopped:
                raise Stopped  # other threads of the process are gone as well
            with self._counting:
                number = len(self.calls)
                self.calls.append(name)
            if name == self.before:
                self.stop()
            if number != self.at:
                return call(*arguments, **options)
            return self._faulty(name, partial(call, *arguments, **options), arguments)

        return faulty

    def _faulty(self, name: str, call: "partial[Any]", arguments: tuple[Any, ...]) -> Any:
        if self.kind is Kind.STOP_BEFORE:
            self.stop()
        if self.kind is Kind.RAISES:
            raise Unreachable
        if self.kind is Kind.PARTIAL and name.endswith("queue.send"):
            call.func(*arguments[::2])
            return [envelope.task_id for envelope in arguments[1::2]]
        answer = call()
        if self.kind is Kind.STOP_AFTER:
            self.stop()
        if self.kind is Kind.RAISES_AFTER:
            raise Unreachable
        if self.kind is Kind.LATE:
            self.later()
        if self.kind in (Kind.LOST, Kind.LOST_BETWEEN) and name not in _NOT_REPEATED:
            if self.kind is Kind.LOST_BETWEEN:
                self.between()
            return call()
        return answer


class FaultyPort:
    """A port, each call of which the fault counts."""

    def __init__(self, name: str, port: Any, fault: Fault) -> None:
        self._name = name
        self._port = port
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if not callable(value):
            return value
        return self._fault.around(f"{self._name}.{name}", value)


class FaultyWiring(MemoryWiring):
    """The application over the ports of another, as a process that will be stopped."""

    def __init__(self, healthy: MemoryWiring, fault: Fault) -> None:
        super().__init__(healthy.settings, clock=healthy.clock, catalogue=healthy.catalogue)
        for name in PORTS:
            setattr(self, name, FaultyPort(name, getattr(healthy, name), fault))
        # One sink after the other: beside each other they would make other calls in each run.
        self.sink_pool = BoundedPool(1)
