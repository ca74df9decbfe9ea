"""Files of tables as people send them, and of what is no table; all are generated."""

import csv
import gzip
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import duckdb

ROWS_BEFORE = 21_000
"""More than any reader looks at before it guesses the types of CSV."""


def late(column: str, before: Callable[[int], str], *last: str) -> Callable[[], bytes]:
    """Return what makes a packed CSV file of one column, whose last values are unlike the rest."""

    def content() -> bytes:
        lines = [column, *(before(number) for number in range(ROWS_BEFORE)), *last]
        return gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=1)

    return content


def skewed() -> bytes:
    """Return a packed CSV file of 16.9 MB: sixty values come often, 3,940 come 80 times each."""
    often = {number: 400 - 5 * number for number in range(60)}
    values = [f"tail-{n:04}" for n in range(4_000) for _ in range(often.get(n, 80))]
    Random(41).shuffle(values)  # noqa: S311 - the same order each time
    padding = "x" * 40
    lines = "".join(f"{value},{padding}\n" for value in values)
    return gzip.compress(f"tail,pad\n{lines}".encode(), compresslevel=1)


def parquet(select: str) -> Callable[[], bytes]:
    """Return what makes a Parquet file of a query's rows."""

    def content() -> bytes:
        with TemporaryDirectory(prefix="made-") as folder, duckdb.connect() as connection:
            path = Path(folder, "made.parquet")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
            return path.read_bytes()

    return content


def last_fields(content: bytes) -> list[str]:
    """Return the first fields of a CSV file's last two lines."""
    return [row[0] for row in csv.reader(content.decode().splitlines()[-2:])]


def parquet_types(content: bytes) -> list[tuple[str, str]]:
    """Return the columns of a Parquet file and their types."""
    with TemporaryDirectory(prefix="read-") as folder, duckdb.connect() as connection:
        path = Path(folder, "read.parquet")
        path.write_bytes(content)
        described = connection.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()
    return [(name, kind) for name, kind, *_ in described]


def workbook() -> bytes:
    """Return an Excel workbook as far as its first bytes and its parts' names go."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as parts:
        for name in (
            "[Content_Types].xml",
            "_rels/.rels",
            "xl/workbook.xml",
            "xl/worksheets/1.xml",
        ):
            parts.writestr(name, "<?xml version='1.0'?><a/>")
    return written.getvalue()


def archive() -> bytes:
    """Return a zip archive of a CSV file."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("table.csv", "id\n1\n")
    return written.getvalue()


def tar() -> bytes:
    """Return a packed tar archive of a CSV file."""
    written = BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as parts:
        member = tarfile.TarInfo("table.csv")
        member.size = 5
        parts.addfile(member, BytesIO(b"id\n1\n"))
    return written.getvalue()


def sqlite() -> bytes:
    """Return an SQLite database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE data (id INTEGER)")
        return connection.serialize()
