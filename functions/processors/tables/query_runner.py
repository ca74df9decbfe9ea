"""Runs an untrusted query over open tables, in a process of its own."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore

from processors.tables.assumed import Assumed
from processors.tables.limits import (
    MAX_COLUMNS,
    QUERY_FILE_BYTES,
    QUERY_MEMORY,
    QUERY_PROCESS_BYTES,
    QUERY_RESULT_BYTES,
    QUERY_SECONDS,
    TableFormat,
)
from processors.tables.query_child import Answer, OpenTable, Request
from processors.tables.query_process import ReceivedFile, answer_of
from processors.tables.table import TableInput, open_table
from processors.tables.writing import CONTENT_TYPES
from tandem.processing import SavedFile, TaskContext

_CHECK_SECONDS = 0.1
_slots = BoundedSemaphore(2)
"""How many queries run at once: so much memory does the function have beside its own."""


@dataclass(frozen=True, slots=True)
class _OpenTables:
    files: list[OpenTable]
    assumed: dict[str, Assumed]


@dataclass(frozen=True, slots=True)
class Result:
    """What a query found, the file that holds it, and what was assumed of each table."""

    answer: Answer
    assumed: dict[str, Assumed]
    file: SavedFile | None = None


def run_query(
    sources: Mapping[str, TableInput], sql: str, max_rows: int, ctx: TaskContext
) -> Result:
    """Return the first rows of what the query says of the tables.

    Raises:
        Permanent: a table cannot be read or the query not be run, with the reason.
        Abandoned: the attempt is over.
    """
    with _opened(sources, ctx) as tables, _one_slot(ctx):
        ctx.progress(1, 2, "running the query")
        answer = answer_of(_request(tables, sql, ctx) | {"rows": max_rows}, ctx)
    return Result(answer, tables.assumed)


def write_query(
    sources: Mapping[str, TableInput], sql: str, to: TableFormat, ctx: TaskContext
) -> Result:
    """Save all that the query says of the tables as a file.

    Raises:
        Permanent: a table cannot be read or the query not be run, with the reason.
        Abandoned: the attempt is over.
    """
    with TemporaryDirectory(prefix="result-") as folder:
        target = Path(folder, "result")
        with _opened(sources, ctx) as tables, _one_slot(ctx):
            ctx.progress(1, 3, "running the query")
            result = ReceivedFile(target, QUERY_FILE_BYTES)
            request = _request(tables, sql, ctx) | {"output": {"format": to, "file": result.sender}}
            answer = answer_of(request, ctx, result)
        ctx.progress(2, 3, "saving the file")
        file = ctx.save_file(f"result.{to}", target, content_type=CONTENT_TYPES[to])
    return Result(answer, tables.assumed, file)


@contextmanager
def _opened(sources: Mapping[str, TableInput], ctx: TaskContext) -> Iterator[_OpenTables]:
    """Return the tables as open files that have no names any more."""
    with ExitStack() as files:
        tables = _OpenTables([], {})
        for name, source in sources.items():
            with open_table(source, ctx) as table:
                file = os.open(table.database.file, os.O_RDONLY)
                files.callback(os.close, file)
                relation = table.database.relation
            tables.files.append({"name": name, "file": file, "relation": relation})
            tables.assumed[name] = table.assumed
        yield tables


@contextmanager
def _one_slot(ctx: TaskContext) -> Iterator[None]:
    while not _slots.acquire(timeout=_CHECK_SECONDS):
        ctx.check_cancelled()
    try:
        yield
    finally:
        _slots.release()


def _request(tables: _OpenTables, sql: str, ctx: TaskContext) -> Request:
    return {
        "tables": tables.files,
        "sql": sql,
        "rows": 0,
        "output": None,
        "columns": MAX_COLUMNS,
        "result_bytes": QUERY_RESULT_BYTES,
        "memory": QUERY_MEMORY,
        "process_bytes": QUERY_PROCESS_BYTES,
        "threads": min(ctx.pool.size, os.process_cpu_count() or 1),
        "seconds": QUERY_SECONDS,
    }
