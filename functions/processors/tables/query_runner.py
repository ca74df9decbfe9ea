"""Runs an untrusted query in a process of its own, and ends it when it should end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from processors.tables.files import MAX_COLUMNS
from processors.tables.query_child import Answer, Failure, Request
from processors.tables.table import TableInput, open_table
from tandem.processing import Permanent, TaskContext

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

MEMORY_LIMIT = "256MiB"
PROCESS_BYTES = 768 << 20
"""Addresses that the process may take: its code has 250 MiB of them. So its memory is bounded too,
whatever DuckDB counts of it."""
MAX_SECONDS = 60
MAX_RESULT_BYTES = 3 << 20
"""Rows as JSON: the answer to an online request has to fit in 4 MiB."""

_CHECK_SECONDS = 0.1
_slots = BoundedSemaphore(2)
"""How many queries run at once: so much memory does the function have beside its own."""


def run_query(source: TableInput, sql: str, max_rows: int, ctx: TaskContext) -> Answer:
    """Return what the query says of the table.

    Raises:
        Permanent: the table cannot be read or the query not be run, with the reason.
        Abandoned: the attempt is over.
    """
    with _copied(source, ctx) as file, _one_slot(ctx):
        ctx.progress(1, 2, "running the query")
        return _answer(
            {
                "file": file,
                "sql": sql,
                "rows": max_rows,
                "columns": MAX_COLUMNS,
                "result_bytes": MAX_RESULT_BYTES,
                "memory": MEMORY_LIMIT,
                "process_bytes": PROCESS_BYTES,
                "threads": min(ctx.pool.size, os.process_cpu_count() or 1),
                "seconds": MAX_SECONDS,
            },
            ctx,
        )


@contextmanager
def _copied(source: TableInput, ctx: TaskContext) -> Iterator[int]:
    """Return a database with the table, as an open file that has no name any more."""
    with TemporaryDirectory(prefix="query-") as folder:
        path = Path(folder, "table")
        with open_table(source, ctx, writes_to=Path(folder)) as table:
            # The folder's name is Python's own, without a quote in it.
            table.database.query(f"ATTACH '{path}' AS copied")
            table.database.query("CREATE TABLE copied.data AS FROM data")
            table.database.query("DETACH copied")
        file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _one_slot(ctx: TaskContext) -> Iterator[None]:
    while not _slots.acquire(timeout=_CHECK_SECONDS):
        ctx.check_cancelled()
    try:
        yield
    finally:
        _slots.release()


def _answer(request: Request, ctx: TaskContext) -> Answer:
    process = subprocess.Popen(  # noqa: S603  # our own program; the SQL goes in as data
        _command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd="/",
        pass_fds=[request["file"]],
    )
    try:
        said = _said(process, json.dumps(request).encode(), ctx)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
    try:
        answer: Answer | Failure = json.loads(said)
    except ValueError:
        ctx.logger.warning("query ended its process", exit_code=process.returncode)
        message = "the query ended the database: it takes too much memory, or is nested too deeply"
        raise Permanent(message) from None
    if "error" in answer:
        raise Permanent(answer["error"])
    return answer


def _said(process: subprocess.Popen[bytes], request: bytes, ctx: TaskContext) -> bytes:
    """Return what the process wrote until it ended."""
    ends_at = time.monotonic() + MAX_SECONDS
    given: bytes | None = request
    while True:
        try:
            return process.communicate(given, timeout=_CHECK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            given = None
        ctx.check_cancelled()
        if time.monotonic() > ends_at:
            message = f"the query took longer than {MAX_SECONDS} s"
            raise Permanent(message)


def _command() -> "list[StrOrBytesPath]":
    return [sys.executable, "-P", "-S", "-m", "processors.tables.query_child"]


def _environment() -> dict[str, str]:
    """Return an environment with where code is found, and nothing else: no credentials."""
    found = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):
        found["LD_LIBRARY_PATH"] = libraries
    # Each arena of the C library's takes addresses of its own.
    return found | {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
