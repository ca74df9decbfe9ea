"""The program that runs one untrusted query, in a process of its own (`python -m`).

It knows no path: its table is an open file without a name. It inherits no environment, so no
credentials. It can write no file, and takes no more memory and time than its limits, which the
kernel keeps: DuckDB does not keep its own within one function (`repeat`, `levenshtein`).
Standard input holds a `Request` as JSON, standard output an `Answer` or a `Failure`.
"""

import json
import os
import re
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any, TypedDict, final

from processors.tables.plain_values import plain_sql
from processors.tables.query_rows import RowTooLarge, read_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Request(TypedDict):
    """What to run, and within which limits."""

    file: int
    sql: str
    rows: int
    columns: int
    result_bytes: int
    memory: str
    process_bytes: int
    threads: int
    seconds: int


@final
class Answer(TypedDict):
    """What the query found."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    truncated: bool


@final
class Failure(TypedDict):
    """Why it found nothing, in words for whoever wrote the query."""

    error: str


READ_ONLY = "a query may only read the table `data`: no files, network, extensions or settings"
TOO_LARGE = "the query needs more memory than the {} that it may use"
_FORBIDDEN = ("PermissionException", "must be at the top level", "configuration has been locked")
_REASON_CHARACTERS = 500
_TYPE_CHARACTERS = 200


class Refused(Exception):
    """The query cannot be run; the message says why."""


def main() -> None:
    """Answer the request on standard input."""
    request: Request = json.load(sys.stdin)
    _limit_process(request)
    answer: Answer | Failure
    try:
        answer = _run(request)
    except MemoryError:
        answer = {"error": TOO_LARGE.format(request["memory"])}
    except Exception as error:  # noqa: BLE001  # whatever it is, the parent is to be told
        answer = {"error": _reason(error, request)}
    sys.stdout.write(json.dumps(answer))


def _limit_process(request: Request) -> None:
    cpu_seconds = request["seconds"] * request["threads"] + 1
    for what, limit in (
        (resource.RLIMIT_AS, request["process_bytes"]),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (limit, limit))
    signal.alarm(request["seconds"] + 1)  # ends the process, if its parent is not there to


def connect(request: Request) -> "DuckDBPyConnection":
    """Return a connection that can read the request's table and nothing else."""
    import duckdb

    connection = duckdb.connect(
        f"/proc/self/fd/{request['file']}",
        read_only=True,
        config={
            "threads": request["threads"],
            "memory_limit": request["memory"],
            "temp_directory": "",  # nothing is written: see RLIMIT_FSIZE
            "secret_directory": "",
            "allow_persistent_secrets": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET disabled_filesystems = 'LocalFileSystem'")  # its own file, for one
    connection.execute("SET lock_configuration = true")
    return connection


def _run(request: Request) -> Answer:
    with connect(request) as connection:
        query = _one_select(connection, request["sql"])
        # Inside another query, a WITH can neither write nor copy; that DuckDB allows at the top.
        nested = f"(\n{query}\n)"
        described = connection.execute(f"DESCRIBE FROM {nested}").fetchall()
        if len(described) > request["columns"]:
            message = f"the result has more than {request['columns']} columns"
            raise Refused(message)
        columns = [(str(name), str(kind).strip('"')) for name, kind, *_ in described]
        plain = ", ".join(plain_sql(f"#{n}", kind) for n, (_, kind) in enumerate(columns, start=1))
        # It is the query that is let in here, and the database that holds it.
        connection.execute(f"FROM {nested} SELECT {plain}")
        rows, truncated = read_rows(
            connection, [kind for _, kind in columns], request["rows"], request["result_bytes"]
        )
    cut = [(name, kind[:_TYPE_CHARACTERS]) for name, kind in columns]
    return {"columns": cut, "rows": rows, "truncated": truncated}


def _one_select(connection: "DuckDBPyConnection", sql: str) -> str:
    """Return the query without the semicolon at its end.

    Raises:
        Refused: it is not one SELECT.
    """
    import duckdb

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        message = f"give one statement, not {len(statements)}"
        raise Refused(message)
    try:
        kind = statements[0].type
    except ValueError:  # a statement that the Python client has no name for
        kind = duckdb.StatementType.INVALID
    if kind != duckdb.StatementType.SELECT:
        hint = "give PIVOT the list of its values (IN)" if kind.name == "MULTI" else READ_ONLY
        message = f"the statement must be a SELECT, and is {kind.name}; {hint}"
        raise Refused(message)
    if statements[0].named_parameters:
        message = "the query has parameters, and nothing gives them values"
        raise Refused(message)
    return sql.rstrip("; \t\r\n")


def _reason(error: Exception, request: Request) -> str:
    """Return what went wrong, in DuckDB's words where they help whoever wrote the query."""
    name, message = type(error).__name__, str(error)
    if isinstance(error, Refused):
        return message
    if isinstance(error, RowTooLarge):
        return f"one row of the result is larger than {request['result_bytes'] >> 20} MiB"
    if name == "OutOfMemoryException" or "bad allocation" in message:
        return TOO_LARGE.format(request["memory"])
    if any(one in name + message for one in _FORBIDDEN):
        return READ_ONLY
    if name in {"InternalException", "FatalException", "IOException"}:
        return "the database failed on this query"
    text = re.split(r"\n\s*\n|\nLINE \d+:", message)[0]
    text = " ".join(text.replace("\x00", "").split())
    return re.sub(rf"/proc/(?:self|{os.getpid()})/fd/\d+", "a file", text)[:_REASON_CHARACTERS]


if __name__ == "__main__":
    main()
