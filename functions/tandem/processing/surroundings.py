"""The process that attempts share: a processor changes it for itself alone.

Processors run beside each other in one process, one after the other for hours. What is cheap to
look at is looked at around each attempt, and put back as it was when nothing ran. Context
variables, and with them the decimal context, are each attempt's own. What stays as a processor
leaves it is listed in docs/how-to/write-a-processor.md.
"""

import gc
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol, TextIO

from tandem.processing.pool import one_process

_RUNTIMES_OWN = b"_X_AMZN_TRACE_ID"
"""Lambda's runtime sets it for each invocation."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a process has once."""

    read: Callable[[], Any]
    put_back: Callable[[Any], Any]
    """Returns what is there now in the place of what was before, where that cannot be had back."""
    scoped: bool = False
    """Whether a block of code usually changes it for as long as it runs, in any thread: it is put
    back when nothing else runs."""


def _streams() -> tuple[TextIO, TextIO]:
    return sys.stdout, sys.stderr


def _put_back_streams(before: tuple[TextIO, TextIO]) -> tuple[TextIO, TextIO]:
    out, err = before
    streams = (_reopened(1) if _is_closed(out) else out, _reopened(2) if _is_closed(err) else err)
    sys.stdout, sys.stderr = streams
    return streams


def _closed() -> tuple[bool, bool]:
    return _is_closed(sys.stdout), _is_closed(sys.stderr)


def _is_closed(stream: Any) -> bool:
    return bool(getattr(stream, "closed", stream is None))


def _open_streams(_before: object) -> None:
    """Open closed ones again: Python leaves their descriptors open."""
    if _is_closed(sys.stdout):
        sys.stdout = _reopened(1)
    if _is_closed(sys.stderr):
        sys.stderr = _reopened(2)


def _reopened(descriptor: int) -> TextIO:
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _environment() -> tuple[Any, dict[bytes, bytes]]:
    # Its public views decode each variable, which takes forty times as long.
    return os.environ, dict(getattr(os.environ, "_data", ()))


def _put_back_environment(before: tuple[Any, dict[bytes, bytes]]) -> None:
    os.environ, variables = before
    now = dict(vars(os.environ)["_data"])
    for name in (now.keys() | variables.keys()) - {_RUNTIMES_OWN}:
        value = variables.get(name)
        if value is None:
            del os.environb[name]
        elif now.get(name) != value:
            os.environb[name] = value
    if now.get(b"TZ") != variables.get(b"TZ"):
        time.tzset()


def _umask() -> int:
    """Return the file mode mask: it can only be read by setting it, so it is put back at once."""
    return os.umask(_UMASK)


_UMASK = os.umask(0o022)
os.umask(_UMASK)


def _locale() -> str | None:
    module: Any = sys.modules.get("locale")
    return None if module is None else str(module.setlocale(module.LC_ALL))


def _put_back_locale(before: str | None) -> None:
    module = sys.modules["locale"]
    module.setlocale(module.LC_ALL, before or "C")


def _socket_timeout() -> float | None:
    module: Any = sys.modules.get("socket")
    timeout: float | None = None if module is None else module.getdefaulttimeout()
    return timeout


def _put_back_socket_timeout(before: float | None) -> None:
    sys.modules["socket"].setdefaulttimeout(before)


def _put_back_filters(before: tuple[Any, ...]) -> None:
    warnings.resetwarnings()  # so that what was decided by the filters is decided again
    warnings.filters[:] = before  # type: ignore[index]  # typeshed shows a sequence, it is a list


def _put_back_path(before: tuple[str, ...]) -> None:
    sys.path[:] = before


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a Path would cost more than the call
    except FileNotFoundError:
        return None


def logging_of(*names: str) -> Part:
    """Return the configuration of the root logger, of these, and of their handlers."""
    loggers = [logging.getLogger(name) for name in (None, *names)]
    return Part(lambda: _logging(loggers), _put_back_logging)


def _logging(loggers: list[logging.Logger]) -> Any:
    return logging.root.manager.disable, [(logger, _configured(logger)) for logger in loggers]


def _configured(logger: logging.Logger) -> Any:
    handlers = [
        (handler, handler.level, handler.formatter, handler.filters[:])
        for handler in logger.handlers
    ]
    return logger.level, logger.disabled, logger.propagate, handlers, logger.filters[:]


def _put_back_logging(before: Any) -> None:
    disabled, loggers = before
    logging.disable(disabled)
    # `logging.config` disables all that there are, unless it is told not to.
    for existing in tuple(logging.root.manager.loggerDict.values()):
        if isinstance(existing, logging.Logger):
            existing.disabled = False
    for logger, (level, logger.disabled, logger.propagate, handlers, filters) in loggers:
        logger.handlers = [handler for handler, *_ in handlers]
        logger.filters = list(filters)
        for handler, handlers_level, handler.formatter, handlers_filters in handlers:
            handler.setLevel(handlers_level)
            handler.filters = list(handlers_filters)
        logger.setLevel(level)  # last: it drops what was remembered of the levels before


PARTS = (
    Part(_closed, _open_streams),
    Part(_streams, _put_back_streams, scoped=True),
    Part(_environment, _put_back_environment),
    Part(_directory, lambda before: os.chdir(before or "/")),
    Part(_umask, lambda _before: None),
    Part(lambda: tuple(sys.path), _put_back_path),
    Part(sys.getrecursionlimit, sys.setrecursionlimit),
    Part(sys.getswitchinterval, sys.setswitchinterval),
    Part(gc.isenabled, lambda before: gc.enable() if before else gc.disable()),
    Part(lambda: signal.alarm(0), lambda _before: None),
    Part(_locale, _put_back_locale),
    Part(_socket_timeout, _put_back_socket_timeout),
    Part(lambda: tuple(warnings.filters), _put_back_filters, scoped=True),
)
"""What every process has. Its loggers are named by whoever made them."""


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
