"""The process of one untrusted query: its start, its bounded answer, and its end."""

import json
import os
import subprocess
import sys
import time
from io import FileIO
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from processors.tables.query_child import Answer, Failure, Request
from tandem.processing import Permanent, TaskContext

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

_CHECK_SECONDS = 0.1
_CHUNK_BYTES = 1 << 20


class ReceivedFile:
    """A file that is written here from what a process sends through a pipe.

    So the process itself may write no file at all.
    """

    def __init__(self, target: Path, max_bytes: int) -> None:
        self._target = target
        self._max_bytes = max_bytes
        self._source, self.sender = os.pipe()
        """`sender` is the end of the pipe that the process writes to."""
        self._failure: Exception | None = None
        self._thread = Thread(target=self._receive, daemon=True)

    def start(self) -> None:
        """Begin to write what arrives: the process has its end of the pipe, or never will."""
        os.close(self.sender)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the writing early, if anything did."""
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Return when the process has closed its end of the pipe."""
        self._thread.join()

    def _receive(self) -> None:
        try:
            with os.fdopen(self._source, "rb", buffering=0) as pipe:
                self._write(pipe)
        except (Permanent, OSError) as error:
            self._failure = error

    def _write(self, pipe: FileIO) -> None:
        size = 0
        with self._target.open("wb") as file:
            while chunk := pipe.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > self._max_bytes:
                    message = f"the result is larger than {self._max_bytes >> 20} MiB"
                    raise Permanent(message)
                file.write(chunk)


def answer_of(request: Request, ctx: TaskContext, result: ReceivedFile | None = None) -> Answer:
    """Return what a process says of a request.

    Args:
        request: the query, its open tables and its limits.
        ctx: the attempt.
        result: the file that the request's `output` is written to.

    Raises:
        Permanent: the query cannot be run, or takes too much. The reason is for its writer.
        Abandoned: the attempt is over.
        OSError: the result cannot be written.
    """
    files = [table["file"] for table in request["tables"]]
    try:
        process = subprocess.Popen(  # noqa: S603  # our own program; the SQL goes in as data
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
            pass_fds=[*files, result.sender] if result else files,
        )
    finally:
        if result:
            result.start()
    try:
        output = _output(process, request, ctx, result)
    finally:
        _end(process)
        if result:
            result.wait()
    if result:
        result.check()
    return _answer(output, process.returncode, ctx)


def _output(
    process: subprocess.Popen[bytes],
    request: Request,
    ctx: TaskContext,
    result: ReceivedFile | None,
) -> bytes:
    """Return what the process wrote until it ended."""
    ends_at = time.monotonic() + request["seconds"]
    given: bytes | None = json.dumps(request).encode()
    while True:
        try:
            return process.communicate(given, timeout=_CHECK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            given = None
        ctx.check_cancelled()
        if result:
            result.check()
        if time.monotonic() > ends_at:
            message = f"the query took longer than {request['seconds']} s"
            raise Permanent(message)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def _answer(output: bytes, exit_code: int, ctx: TaskContext) -> Answer:
    try:
        answer: Answer | Failure = json.loads(output)
    except ValueError:
        ctx.logger.warning("query ended its process", exit_code=exit_code)
        message = "the query ended the database: it takes too much memory, or is nested too deeply"
        raise Permanent(message) from None
    if "error" in answer:
        raise Permanent(answer["error"])
    return answer


def command() -> "list[StrOrBytesPath]":
    """Return how the program is called."""
    return [sys.executable, "-P", "-S", "-m", "processors.tables.query_child"]


def environment() -> dict[str, str]:
    """Return an environment with where code is found, and nothing else: no credentials."""
    found = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):
        found["LD_LIBRARY_PATH"] = libraries
    # Each arena of the C library's takes addresses of its own.
    return found | {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
