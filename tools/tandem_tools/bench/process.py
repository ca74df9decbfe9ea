"""A function's process, and what it costs."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from tandem_tools.bench.runtime_api import RuntimeApi
from tandem_tools.harness.function import Function
from tandem_tools.run.guard import Guard

VALGRIND = shutil.which("valgrind")
EXITS_WITHIN_SECONDS = 60
CPU_CLOCK = 2
"""CPUCLOCK_SCHED of Linux: the CPU time of a process, in nanoseconds."""

type Drive = Callable[["Running"], None]


class Running:
    """A running function."""

    def __init__(self, api: RuntimeApi, process: "subprocess.Popen[bytes]") -> None:
        self._api = api
        self._process = process

    def invoke(self, event: object) -> Any:
        """Invoke the function and return its answer."""
        return self._api.invoke(event)

    def wait_until_ready(self) -> None:
        """Return when the function has started, and waits for an event."""
        self._api.wait_until_asked()

    def cpu_seconds(self) -> float:
        """Return the CPU time that all of its threads have used so far."""
        return time.clock_gettime(~self._process.pid << 3 | CPU_CLOCK)


@contextmanager
def running(
    function: Function, *, wrapper: tuple[str, ...] = (), log: Path | None = None
) -> Iterator[Running]:
    """Run a function with Lambda's runtime client, for as long as the block runs.

    Args:
        function: what to run.
        wrapper: a command to run the process under.
        log: where what it writes is kept. By default nowhere.
    """
    with TemporaryDirectory(prefix="function-") as scratch, RuntimeApi() as api:
        environment = _environment(function, scratch) | {"AWS_LAMBDA_RUNTIME_API": api.address}
        with (log or Path(scratch, "function.log")).open("wb") as written:
            process = subprocess.Popen(
                [*wrapper, *function.command()],
                cwd=function.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        guard = Guard(process)
        Thread(target=_tell_end, args=(process, api), daemon=True).start()
        try:
            yield Running(api, process)
            api.hang_up()
            process.wait(EXITS_WITHIN_SECONDS)
        finally:
            guard.end(EXITS_WITHIN_SECONDS)


def start_up_cost(function: Function, drive: Drive) -> float:
    """Return what a process costs from its start on: millions of instructions, or CPU seconds."""
    if VALGRIND is None:
        with running(function) as process:
            drive(process)
            return process.cpu_seconds()
    with TemporaryDirectory(prefix="counts-") as folder:
        counts = Path(folder, "counts")
        with running(function, wrapper=_counting(counts)) as process:
            drive(process)
        return _millions(counts)


def import_cost(function: Function, module: str) -> float:
    """Return what importing a module of the artifact costs in a process of its own."""
    return program_cost(function, "-c", f"import time, {module}; print(time.process_time())")


def program_cost(function: Function, *program: str) -> float:
    """Return what a program costs over the artifact: million instructions, or what it prints."""
    if VALGRIND is None:
        return float(program_output(function, *program))
    with TemporaryDirectory(prefix="counts-") as folder:
        counts = Path(folder, "counts")
        program_output(function, *program, wrapper=_counting(counts))
        return _millions(counts)


def program_output(function: Function, *program: str, wrapper: tuple[str, ...] = ()) -> str:
    """Run a program in the function's interpreter, folder and environment. Return its output."""
    python, *options = function.command()[:-3]
    with TemporaryDirectory(prefix="function-") as scratch:
        environment = _environment(function, scratch)
        done = subprocess.run(
            [*wrapper, python, *options, "-P", *program],
            cwd=function.folder,
            env=environment | {"PYTHONPATH": f"{function.folder}:{environment['PYTHONPATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
        )
    return done.stdout


def _environment(function: Function, scratch: str) -> dict[str, str]:
    return function.process_environment(Path(scratch)) | {"PYTHONHASHSEED": "0"}


def _counting(counts: Path) -> tuple[str, ...]:
    options = ("--quiet", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={counts}")
    return (str(VALGRIND), *options)


def _millions(counts: Path) -> float:
    found = re.search(r"^summary: (\d+)", counts.read_text(), re.MULTILINE)
    if found is None:
        message = "valgrind counted nothing"
        raise RuntimeError(message)
    return int(found[1]) / 1e6


def _tell_end(process: "subprocess.Popen[bytes]", api: RuntimeApi) -> None:
    """Let nobody wait for the answer of a process that ended."""
    process.wait()
    api.take_answer(b"the function's process ended", succeeded=False)
