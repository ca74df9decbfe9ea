"""The program that runs one untrusted query, in a process of its own (`python -m`).

It knows no path: its tables are open files without names. It inherits no environment, so no
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
from typing import TYPE_CHECKING, Any, Literal, TypedDict, final

from processors.tables.plain_values import plain_sql, quoted
from processors.tables.query_guard import READ_ONLY, Refused, check_reads
from processors.tables.query_rows import RowTooLarge, read_rows
from processors.tables.writing import Written, written_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection


Format = Literal["csv", "jsonl", "parquet"]


class OpenTable(TypedDict):
    """A table of a query: the number of its open file, and SQL that reads it.

    The SQL has `getvariable('file')` in the place of the file's path.
    """

    name: str
    file: int
    relation: str


class Output(TypedDict):
    """The file to write: its format, and the number of the open pipe that it goes to."""

    format: Format
    file: int


class Request(TypedDict):
    """What to run, and within which limits."""

    tables: list[OpenTable]
    sql: str
    rows: int
    output: Output | None
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
    row_count: int
    truncated: bool


@final
class Failure(TypedDict):
    """Why it found nothing, in words for whoever wrote the query."""

    error: str


TOO_LARGE = "the query needs more memory than the {} that it may use"
_FORBIDDEN = ("PermissionException", "must be at the top level", "configuration has been locked")
_TOO_WIDE = "an integer has more than 64 bits, for which Parquet has no type: cast it to VARCHAR"
_REASON_CHARACTERS = 500
_TYPE_CHARACTERS = 200
_OPEN_FILES = 256
_FILE = re.compile(r"""getvariable\('file'\)|"(?:[^"]|"")*"|'(?:[^']|'')*'""")


def main() -> None:
    """Answer the request on standard input."""
    request: Request = json.load(sys.stdin)
    _limit_process(request)
    answer: Answer | Failure
    try:
        with connect(request) as connection:
            answer = _run(connection, request)
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
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(what, (limit, limit))
    signal.alarm(request["seconds"] + 1)  # ends the process, if its parent is not there to


def connect(request: Request) -> "DuckDBPyConnection":
    """Return a connection that can read the request's tables and nothing else."""
    # Without the package around it, which is as long to import as all the rest, and not used here.
    import _duckdb

    connection = _duckdb.connect(
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
            # It would give CAST(date AS VARCHAR) the text of the file, in whatever form.
            "disabled_optimizers": "type_pushdown",
        },
    )
    files = [table["file"] for table in request["tables"]]
    if request["output"]:
        files.append(request["output"]["file"])
    connection.execute("SET TimeZone = 'UTC'")
    # A row group would be held whole, which helps with slow disks and takes a third of the memory.
    connection.execute("SET disable_parquet_prefetching = true")
    connection.execute("SET allowed_paths = ?", [[_path(file) for file in files]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for table in request["tables"]:
        relation = _relation(table)
        connection.execute(f"CREATE VIEW {quoted(table['name'])} AS FROM {relation}")
    return connection


def _path(file: int) -> str:
    return f"/proc/self/fd/{file}"


def _relation(table: OpenTable) -> str:
    """Return SQL that reads the table's open file. Names and texts in it stay what they are."""
    path = f"'{_path(table['file'])}'"
    return _FILE.sub(
        lambda found: path if found[0].startswith("getvariable") else found[0], table["relation"]
    )


def _run(connection: "DuckDBPyConnection", request: Request) -> Answer:
    query = _checked(connection, request)
    described = connection.execute(f"DESCRIBE FROM {query}").fetchall()
    if len(described) > request["columns"]:
        message = f"the result has more than {request['columns']} columns"
        raise Refused(message)
    columns = [(str(name), str(kind).strip('"')) for name, kind, *_ in described]
    cut = [(name, kind[:_TYPE_CHARACTERS]) for name, kind in columns]
    if output := request["output"]:
        count = _write(connection, query, columns, output)
        return {"columns": cut, "rows": [], "row_count": count, "truncated": False}
    plain = ", ".join(plain_sql(f"#{n}", kind) for n, (_, kind) in enumerate(columns, start=1))
    connection.execute(f"FROM {query} SELECT {plain}")
    rows, truncated = read_rows(
        connection, [kind for _, kind in columns], request["rows"], request["result_bytes"]
    )
    return {"columns": cut, "rows": rows, "row_count": len(rows), "truncated": truncated}


def _checked(connection: "DuckDBPyConnection", request: Request) -> str:
    """Return the query as SQL for a FROM clause, having checked what it reads.

    The text that was checked is a constant there, which DuckDB parses again with the same parser:
    however it ends, in a comment for one, nothing of it gets into the statement around it.

    Raises:
        Refused: it is not one SELECT, or reads more than its tables.
    """
    import _duckdb

    statements = connection.extract_statements(request["sql"])
    if len(statements) != 1:
        message = f"give one statement, not {len(statements)}"
        raise Refused(message)
    try:
        kind = statements[0].type
    except ValueError:  # a statement that the Python client has no name for
        kind = _duckdb.StatementType.INVALID
    if kind != _duckdb.StatementType.SELECT:
        hint = "give PIVOT the list of its values (IN)" if kind.name == "MULTI" else READ_ONLY
        message = f"the statement must be a SELECT, and is {kind.name}; {hint}"
        raise Refused(message)
    if statements[0].named_parameters:
        message = "the query has parameters, and nothing gives them values"
        raise Refused(message)
    [(tree,)] = connection.execute(
        "SELECT json_serialize_sql(CAST(? AS VARCHAR))", [request["sql"]]
    ).fetchall()
    check_reads(json.loads(tree), [table["name"] for table in request["tables"]])
    text = request["sql"].replace("'", "''")
    return f"query('{text}')"


def _write(
    connection: "DuckDBPyConnection",
    query: str,
    columns: "Sequence[tuple[str, str]]",
    output: Output,
) -> int:
    """Write what the query finds to the output, and return how many rows it is."""
    written = [
        _written(name, kind, f"#{n}", output["format"])
        for n, (name, kind) in enumerate(columns, start=1)
    ]
    values, options = written_sql(written, output["format"])
    # The output is a pipe, for which RLIMIT_FSIZE does not hold: it is no file.
    [(count,)] = connection.execute(
        f"COPY (FROM {query} SELECT {values}) TO '{_path(output['file'])}' "
        f"({options}, USE_TMP_FILE false)"
    ).fetchall()
    return int(count)


def _written(name: str, kind: str, c: str, to: Format) -> Written:
    if to == "parquet" and kind == "HUGEINT":  # sums of integers have that type
        fits = f"{c} IS NULL OR {c} BETWEEN {-(2**63)} AND {2**63 - 1}"
        narrow = f"CASE WHEN {fits} THEN TRY_CAST({c} AS BIGINT) ELSE error('{_TOO_WIDE}') END"
        return Written(name, "BIGINT", narrow)
    return Written(name, kind, c)


def _reason(error: Exception, request: Request) -> str:
    """Return what went wrong, in DuckDB's words where they help whoever wrote the query."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, RowTooLarge):
        return f"one row of the result is larger than {request['result_bytes'] >> 20} MiB"
    if isinstance(error, RecursionError) or "Max expression depth limit" in str(error):
        return "the query is nested too deeply"
    return _reason_of_database(type(error).__name__, str(error), request)


def _reason_of_database(kind: str, message: str, request: Request) -> str:
    if kind == "OutOfMemoryException" or "bad allocation" in message:
        return TOO_LARGE.format(request["memory"])
    if any(words in kind + message for words in _FORBIDDEN):
        return READ_ONLY
    if kind in {"InternalException", "FatalException", "IOException"}:
        return "the database failed on this query"
    if kind == "Error" or "Failed to read file" in message:  # only a file has what makes such
        return "a table is damaged, or is not of its format"
    text = re.split(r"\n\s*\n|\nLINE \d+:", message)[0]
    text = " ".join(text.replace("\x00", "").split())
    return re.sub(rf"/proc/(?:self|{os.getpid()})/fd/\d+", "a file", text)[:_REASON_CHARACTERS]


if __name__ == "__main__":
    main()
