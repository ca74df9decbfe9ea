"""One piece of work on a table, in a process of its own: `tandem_tools.bench.table_work`.

It prints the CPU seconds of the work, its child processes' included, and the memory at its peak.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tandem_tools.paths import PROJECT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOP_VALUES = 10
QUERY = (
    "SELECT city, count(*) AS orders, sum(amount) AS total, avg(ratio) AS ratio "
    "FROM data WHERE quantity > 10 GROUP BY city ORDER BY city"
)
_READERS = {
    ".csv": "read_csv(getvariable('file'), sample_size = -1)",
    ".parquet": "read_parquet(getvariable('file'))",
}
_COLUMNS = """
    n AS id,
    CASE WHEN hash(n) % 20 > 0 THEN hash(n) % 500 END AS quantity,
    CAST(hash(n + 1) % 1000000 AS DECIMAL(9, 2)) / 100 AS amount,
    round(hash(n + 2) % 1000000007 / 1000000007.0, 9) AS ratio,
    list_extract(['Oslo', 'Bergen', 'Bodø'], CAST(hash(n + 3) % 3 + 1 AS INTEGER)) AS city,
    'customer-' || hash(n + 4) % 2000000 AS customer,
    CASE WHEN hash(n + 5) % 10 > 0 THEN format('{:x}', hash(n + 5)) END AS note,
    DATE '2020-01-01' + CAST(hash(n + 6) % 2000 AS INTEGER) AS day,
    TIMESTAMP '2020-01-01' + to_seconds(hash(n + 7) % 100000000) AS at,
    hash(n + 8) % 2 = 0 AS paid
"""
"""Numbers, text of few and of many different values, dates, times and gaps."""


def main(arguments: list[str]) -> None:
    """Do what is asked, and print what it took."""
    by, work, source = arguments
    import duckdb  # noqa: F401  # it is there before the clock starts, for both

    file = Path(source)
    with TemporaryDirectory(prefix="written-") as folder:
        target = Path(folder, "table")
        do = _BY[by]
        before = _cpu_seconds()
        outcome = do(work, file, target)
        print(
            json.dumps(
                {
                    "outcome": outcome,
                    "cpu_seconds": round(_cpu_seconds() - before, 2),
                    "megabytes": round(_peak_bytes() / 1e6),
                }
            )
        )


def _by_tandem(work: str, file: Path, target: Path) -> str:
    """Give the file to a processor. Return why it refused, or nothing."""
    from processors.tables import limits
    from tandem.processing import Permanent

    # What else runs on this machine takes time by the clock.
    limits.TABLE_SECONDS, limits.QUERY_SECONDS = 3600.0, 3600
    from processors.tables import convert, query, summarize

    context = _context(file, target)
    data: dict[str, Any] = {"upload": "it"}
    try:
        match work:
            case "profile":
                summarize.summarize_table.run(summarize.Input.model_validate(data), context)
            case "query":
                data |= {"sql": QUERY}
                query.query_table.run(query.Input.model_validate(data), context)
            case _:
                data |= {"to": work}
                convert.convert_table.run(convert.Input.model_validate(data), context)
    except Permanent as refused:
        return refused.reason
    return ""


def _by_duckdb(work: str, file: Path, target: Path) -> str:
    """Do the same with DuckDB alone, on one thread.

    Its profile is SUMMARIZE, and the ten most frequent values of each column by GROUP BY. A CSV
    file is read once for all of them, into a table in memory.
    """
    with _duckdb(file) as connection:
        match work:
            case "profile":
                _plain_profile(connection, keep=file.suffix == ".csv")
            case "query":
                connection.execute(QUERY).fetchall()
            case "parquet":
                connection.execute(f"COPY data TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
            case "csv":
                connection.execute(f"COPY data TO '{target}' (FORMAT csv)")
            case "jsonl":
                connection.execute(f"COPY data TO '{target}' (FORMAT json)")
    return ""


def _plain_profile(connection: "DuckDBPyConnection", *, keep: bool) -> None:
    if keep:
        connection.execute("CREATE TEMP TABLE kept AS FROM data")
    source = "kept" if keep else "data"
    summary = connection.execute(f"SUMMARIZE FROM {source}").fetchall()
    for name, *_ in summary:
        connection.execute(
            f'SELECT "{name}" AS value, count(*) AS n FROM {source} WHERE value IS NOT NULL '  # noqa: S608
            f"GROUP BY value ORDER BY n DESC, value LIMIT {TOP_VALUES}"
        ).fetchall()


def _make(_: str, file: Path, target: Path) -> str:
    """Write a CSV file and its Parquet. The file's name says of how many megabytes."""
    del target
    import duckdb

    with duckdb.connect() as connection:
        sample = f"(SELECT {_COLUMNS} FROM range(10000) AS t(n))"  # noqa: S608  # our own text
        [(bytes_of_rows,)] = connection.execute(
            f"SELECT sum(length(concat_ws(',', *COLUMNS(*))) + 1) FROM {sample}"  # noqa: S608
        ).fetchall()
        rows = int(float(file.stem) * 1e6 / bytes_of_rows * 10_000)
        table = f"(SELECT {_COLUMNS} FROM range({rows}) AS t(n))"  # noqa: S608
        connection.execute(f"COPY {table} TO '{file}' (FORMAT csv)")
        parquet = file.with_suffix(".parquet")
        connection.execute(
            f"COPY (FROM read_csv('{file}', sample_size = -1)) TO '{parquet}' (FORMAT parquet)"
        )
    return str(rows)


_BY = {"tandem": _by_tandem, "duckdb": _by_duckdb, "made": _make}


@contextmanager
def _duckdb(file: Path) -> Iterator["DuckDBPyConnection"]:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET VARIABLE file = ?", [str(file)])
        connection.execute(f"CREATE VIEW data AS FROM {_READERS[file.suffix]}")
        yield connection


def _context(file: Path, target: Path) -> Any:
    """Return a task's context whose upload and result are files, as the functions have them."""
    from tandem.processing.context import SavedFile
    from tandem.testing import FakeContext

    class Context(FakeContext):
        @contextmanager
        def fetch_upload(self, upload_id: str) -> Iterator[Path]:
            del upload_id
            yield file

        def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
            assert isinstance(content, Path)  # noqa: S101 - a table is written to disk
            size = content.stat().st_size
            content.replace(target)
            return SavedFile(name=name, content_type=content_type, size_bytes=size)

    return Context(threads=1)


def _cpu_seconds() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _peak_bytes() -> int:
    """Return the memory of the process and of its largest child, each at its peak."""
    return 1024 * sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT / "functions"))  # a query's process starts elsewhere
    main(sys.argv[1:])
