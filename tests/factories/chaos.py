"""Everything that a processor may do to its attempt and to its process."""

import asyncio
import ctypes
import decimal
import locale
import logging
import logging.config
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from io import StringIO
from typing import Any

from pydantic import BaseModel

from tandem.processing import Permanent, Retry, RetryAfter, TaskContext, processor
from tandem.processing.processor import AnyProcessor

SECRET = "SECRET-INPUT"
"""What the errors below say: it must be in no log."""

LEFT_OVER: ContextVar[str] = ContextVar("LEFT_OVER", default="")


class Work(BaseModel):
    how: str = "ok"


class Done(BaseModel):
    got: Any = None


class Panic(BaseException):
    """As pyo3_runtime.PanicException: not an Exception."""


class Unprintable(Exception):
    """An error whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


class Unasked(Exception):
    """An error that answers every question with an error."""

    @property
    def response(self) -> Any:
        raise RuntimeError(SECRET)


class NeedsTwo(Exception):
    """An error that cannot be made again of its arguments."""

    def __init__(self, text: str, more: str) -> None:
        super().__init__(text)
        self.more = more


def _raise(error: BaseException) -> Callable[[TaskContext], Any]:
    def run(_ctx: TaskContext) -> Any:
        raise error

    return run


def _panic_in_map(ctx: TaskContext) -> Any:
    def one(number: int) -> int:
        raise Panic(f"{SECRET} {number}")

    return ctx.pool.map(one, range(4))


def _recursion(_ctx: TaskContext) -> Any:
    def deeper(number: int) -> int:
        return deeper(number + 1) + 1

    return deeper(0)


async def _cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def _several_fail() -> None:
    async def fail() -> None:
        raise ValueError(SECRET)

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(5))
        group.create_task(fail())


ATTEMPT_ENDS: dict[str, tuple[str, Callable[[TaskContext], Any]]] = {
    "sys-exit": ("SystemExit", lambda _ctx: sys.exit(SECRET)),
    "keyboard": ("KeyboardInterrupt", _raise(KeyboardInterrupt())),
    "panic": ("Panic", _raise(Panic(SECRET))),
    "generator-exit": ("GeneratorExit", _raise(GeneratorExit())),
    "cancelled-error": ("CancelledError", _raise(asyncio.CancelledError())),
    "group": ("ValueError", _raise(ExceptionGroup(SECRET, [ValueError("a")]))),
    "base-group": (
        "KeyboardInterrupt",
        _raise(BaseExceptionGroup(SECRET, [KeyboardInterrupt(), KeyError("b")])),
    ),
    "retry-after": ("RetryAfter", _raise(RetryAfter(1, SECRET))),
    "retry-after-nothing": ("ValueError", lambda _ctx: _raise(RetryAfter(math.nan, SECRET))),
    "panic-in-map": ("Panic", _panic_in_map),
    "stop-iteration": ("StopIteration", _raise(StopIteration(SECRET))),
    "recursion": ("RecursionError", _recursion),
    "memory-error": ("MemoryError", _raise(MemoryError())),
    "unprintable": ("Unprintable", _raise(Unprintable())),
    "unasked": ("Unasked", _raise(Unasked(SECRET))),
    "needs-two": ("NeedsTwo", _raise(NeedsTwo(SECRET, "b"))),
    "surrogate": ("ValueError", _raise(ValueError(f"\ud800 {SECRET} \x00 " + "y" * 5000))),
    "raise": ("ValueError", _raise(ValueError(SECRET))),
    "no-such-directory": ("FileNotFoundError", lambda _ctx: os.chdir(f"/{SECRET}")),
    "signal-handler": ("ValueError", lambda _ctx: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    "cancels-itself": ("CancelledError", lambda _ctx: asyncio.run(_cancel_itself())),
    "task-group": ("ValueError", lambda _ctx: asyncio.run(_several_fail())),
}
"""Retriable: by its name, the error's class and what raises it."""

NO_OUTPUT: dict[str, Callable[[], Any]] = {
    "nan": lambda: Done(got=math.nan),
    "infinity": lambda: Done(got=[1.0, {"a": -math.inf}]),
    "object": lambda: Done(got=object()),
    "bytes": lambda: Done(got=b"\xff\xfe"),
    "lone-surrogate": lambda: Done(got="\ud800"),
    "deep": lambda: Done(got=_nested(2000)),
    "cycle": lambda: Done(got=_cycle()),
    "none": lambda: None,
    "dict": lambda: {"got": 1},
}
"""What no JSON document of the output model can be: by its name, what makes it."""


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _cycle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def _print(_ctx: TaskContext) -> Any:
    print("printed by a processor")  # noqa: T201
    sys.stderr.write("to stderr\n")
    logging.getLogger().warning("from the root's logger")
    return "printed"


def _fork(_ctx: TaskContext) -> Any:
    child = os.fork()
    if child == 0:
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fork_and_return(_ctx: TaskContext) -> Any:
    child = os.fork()
    return child and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fork_and_raise(_ctx: TaskContext) -> Any:
    child = os.fork()
    if child == 0:
        raise ValueError(SECRET)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fork_in_map(ctx: TaskContext) -> Any:
    return ctx.pool.map(lambda _number: _fork_and_return(ctx), range(4))


def _fork_in_a_loop(ctx: TaskContext) -> Any:
    async def fork() -> Any:
        return _fork_and_return(ctx)

    return fork()


def _threads(_ctx: TaskContext) -> Any:
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(0.5,), daemon=False).start()
    return "started"


def _orphan(_ctx: TaskContext) -> Any:
    async def leave() -> str:
        leave.task = asyncio.create_task(asyncio.sleep(100))  # type: ignore[attr-defined]
        return "left a task"

    return leave()


def _flood(ctx: TaskContext) -> Any:
    for number in range(1000):
        ctx.progress(number, 1000, "x" * 500)
    ctx.progress(-5, 0, "\ud800\x00")
    return "done"


SUCCEEDS: dict[str, tuple[Any, Callable[[TaskContext], Any]]] = {
    "print": ("printed", _print),
    "fork": (3, _fork),
    "fork-child-returns": (1, _fork_and_return),
    "fork-child-raises": (1, _fork_and_raise),
    "fork-child-returns-in-map": ([1, 1, 1, 1], _fork_in_map),
    "fork-child-returns-in-loop": (1, _fork_in_a_loop),
    "subprocess": (
        "hi\n",
        lambda _ctx: subprocess.check_output(["/bin/echo", "hi"], text=True),
    ),
    "threads": ("started", _threads),
    "orphan": ("left a task", _orphan),
    "huge-integer": (10**400, lambda _ctx: 10**400),
    "progress": ("done", _flood),
    "big": ("z" * 500_000, lambda _ctx: "z" * 500_000),
}
"""What ends well: by its name, its output and what does it."""


def _tell_logging(_ctx: TaskContext) -> Any:
    logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().handlers[0].setLevel(logging.CRITICAL)
    logging.getLogger().handlers[0].addFilter(lambda _record: False)
    logging.basicConfig(level=logging.DEBUG, force=True)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
    logging.disable(logging.CRITICAL)


def _take_formatter(_ctx: TaskContext) -> Any:
    """Leave the handler without its formatter while the mates begin and end."""
    handler = logging.getLogger().handlers[0]
    handler.setFormatter(logging.Formatter("%(message)s"))
    time.sleep(0.2)
    handler.setFormatter(None)
    time.sleep(0.2)


def _change_environment(_ctx: TaskContext) -> Any:
    os.environ["PATH"] = os.environ["LEFT_OVER"] = "x"
    os.environ["TZ"] = "Pacific/Auckland"
    time.tzset()


def _replace_streams(_ctx: TaskContext) -> Any:
    sys.stdout = sys.stderr = StringIO()


def _set_decimals(_ctx: TaskContext) -> Any:
    decimal.getcontext().prec = 2
    decimal.setcontext(decimal.Context(prec=3))


PROCESS_CHANGES: dict[str, Callable[[TaskContext], Any]] = {
    "close-stdout": lambda _ctx: (sys.stdout.close(), sys.stderr.close()),
    "replace-streams": _replace_streams,
    "no-streams": lambda _ctx: [setattr(sys, name, None) for name in ("stdout", "stderr")],
    "clear-environment": lambda _ctx: os.environ.clear(),
    "change-environment": _change_environment,
    "replace-environment": lambda _ctx: setattr(os, "environ", {}),
    "chdir": lambda _ctx: os.chdir("/"),
    "umask": lambda _ctx: os.umask(0o777),
    "path": lambda _ctx: sys.path.clear(),
    "recursion-limit": lambda _ctx: sys.setrecursionlimit(60),
    "switch-interval": lambda _ctx: sys.setswitchinterval(1),
    "no-garbage-collection": lambda _ctx: __import__("gc").disable(),
    "alarm": lambda _ctx: signal.alarm(1),
    "locale": lambda _ctx: locale.setlocale(locale.LC_ALL, "C"),
    "socket-timeout": lambda _ctx: socket.setdefaulttimeout(0.001),
    "warnings": lambda _ctx: warnings.simplefilter("error"),
    "logging": _tell_logging,
    "formatter": _take_formatter,
    "decimal-context": _set_decimals,
    "context-variable": lambda _ctx: LEFT_OVER.set("left"),
}
"""What changes the process for all others: by its name, what does it."""


def _take_memory(_ctx: TaskContext) -> Any:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
    ctypes.CDLL(None).memset(ctypes.CDLL(None).malloc(1 << 30), 0, 1 << 30)


PROCESS_ENDS: dict[str, Callable[[TaskContext], Any]] = {
    "os-exit": lambda _ctx: os._exit(7),
    "segv": lambda _ctx: ctypes.string_at(0),
    "abort": lambda _ctx: os.abort(),
    "sigkill": lambda _ctx: os.kill(os.getpid(), signal.SIGKILL),
    "sigterm": lambda _ctx: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(30)),
    "memory": _take_memory,
}
"""What ends the process: by its name, what does it."""


def looks() -> dict[str, Any]:
    """Return what the process's shared parts look like."""
    mask = os.umask(0o022)
    os.umask(mask)
    return {
        "streams": (sys.stdout.closed, sys.stderr.closed),
        "environment": sorted(os.environ.items()),
        "zone": time.strftime("%Z", time.localtime(0)),
        "directory": os.getcwd(),  # noqa: PTH109
        "umask": mask,
        "path": list(sys.path),
        "recursion": sys.getrecursionlimit(),
        "switch": sys.getswitchinterval(),
        "alarm": signal.alarm(0),
        "locale": locale.setlocale(locale.LC_ALL),
        "timeout": socket.getdefaulttimeout(),
        "filters": list(warnings.filters),
        "level": logging.getLogger().level,
        "disabled": logging.root.manager.disable,
        "loggers": [logging.getLogger(name).disabled for name in ("asyncio", "processors.one")],
        "decimals": decimal.getcontext().prec,
        "context": LEFT_OVER.get(),
    }


def _does(how: str, ctx: TaskContext) -> Any:
    if how in ATTEMPT_ENDS:
        return Done(got=ATTEMPT_ENDS[how][1](ctx))
    if how in NO_OUTPUT:
        return NO_OUTPUT[how]()
    if how == "permanent":
        raise Permanent(SECRET)
    if how == "close-descriptors":
        os.closerange(3, 256)
    if how == "looks":
        return Done(got=str(looks()))
    if how in SUCCEEDS:
        got = SUCCEEDS[how][1](ctx)
        return _done(got) if asyncio.iscoroutine(got) else Done(got=got)
    act = PROCESS_CHANGES.get(how) or PROCESS_ENDS.get(how)
    if act is not None:
        act(ctx)
    return Done(got=how)


async def _done(coming: Any) -> Done:
    return Done(got=await coming)


def make_chaos(name: str = "chaos", **options: Any) -> AnyProcessor:
    """Return the processor that does what its input says."""

    def chaos(data: Work, ctx: TaskContext) -> Done:
        result: Done = _does(data.how, ctx)
        return result

    retry = Retry(attempts=2, min_backoff_seconds=1, max_backoff_seconds=2)
    return processor(name, **{"retry": retry, "time_limit": 8} | options)(chaos)
