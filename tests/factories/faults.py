"""Ports that stop the process at one of their calls."""

from collections.abc import Callable
from dataclasses import dataclass, field
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


class Stopped(BaseException):
    """The process is gone: nothing of ours may catch it."""


@dataclass
class Fault:
    """Counts the calls of all ports, and stops before or after the one of this number."""

    at: int = -1
    after: bool = False
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
            if (number == self.at and not self.after) or name == self.before:
                self.stop()
            answer = call(*arguments, **options)
            if number == self.at:
                self.stop()
            return answer

        return faulty


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
