"""The process that attempts share: a processor changes it for itself alone.

Processors run beside each other in one process, one after the other for hours. What is cheap to
look at is looked at around each attempt, and put back as it was when nothing ran. Context
variables, and with them the decimal context, are each attempt's own. What stays as a processor
leaves it is listed in docs/how-to/write-a-processor.md.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol

from tandem.processing.pool import one_process
from tandem.processing.process_parts import PARTS, Part, logging_of


class Overdue(Protocol):
    """The part of an attempt that is asked for here."""

    @property
    def overdue(self) -> bool:
        """Whether its deadline has passed."""
        ...


class Surroundings:
    """Puts back what processors changed."""

    def __init__(self, *loggers: str) -> None:
        """Keep the configuration of these loggers, beside the root's."""
        self._parts = (*PARTS, logging_of(*loggers))
        self._before: list[Any] = []
        self._late = False
        self._running: set[Overdue] = set()
        self._lock = Lock()

    def run[T](self, attempt: Overdue, work: Callable[[], T]) -> T:
        """Return what the work returns. A process that it forked ends here, and does no more."""
        with self._lock:
            if self._running or self._late:
                self._put_back()
            else:
                self._before = [_reads(part) for part in self._parts]
            self._late = False
            self._running.add(attempt)
        try:
            with one_process():
                return work()
        finally:
            with self._lock:
                self._running.discard(attempt)
                # One that was left behind ends at any time: the next start looks after it.
                if attempt.overdue:
                    self._late = True
                else:
                    self._put_back()

    def _put_back(self) -> None:
        with suppress(Exception):  # what cannot be read was changed
            if self._before == [part.read() for part in self._parts]:
                return
        for index, part in enumerate(self._parts):
            # Never at the cost of an attempt: what cannot be put back stays.
            with suppress(Exception):
                self._look_after(part, index)

    def _look_after(self, part: Part, index: int) -> None:
        if part.scoped and self._others_run():
            return
        if _reads(part) != self._before[index]:
            # Not what is read now: a neighbour may be changing it again already.
            instead = part.put_back(self._before[index])
            if instead is not None:
                self._before[index] = instead

    def _others_run(self) -> bool:
        return any(not attempt.overdue for attempt in tuple(self._running))


def _reads(part: Part) -> Any:
    try:
        return part.read()
    except Exception:  # noqa: BLE001 - something else is in its place
        return None
