"""What a file of a table is, before a database reads it: its format, packing and header line."""

import csv
import gzip
import zlib
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Literal

from tandem.processing import Permanent, TaskContext

TableFormat = Literal["csv", "jsonl", "parquet"]

MAX_COLUMNS = 500
MAX_NAME_CHARACTERS = 256
MAX_UNPACKED_BYTES = 256 << 20
"""The most that a gzip file may hold: it is unpacked on the function's disk."""

_HEAD_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_DELIMITERS = ",;\t|"
_SUFFIXES: dict[str, TableFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def unpacked(path: Path, folder: Path, ctx: TaskContext) -> Path:
    """Return the file itself, or what it holds when it is a gzip file.

    Raises:
        Permanent: the gzip file is damaged or holds too much.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return path
    target = folder / "unpacked"
    size = 0
    try:
        with gzip.open(path) as source, target.open("wb") as copy:
            while chunk := source.read(_CHUNK_BYTES):
                ctx.check_cancelled()
                size += len(chunk)
                if size > MAX_UNPACKED_BYTES:
                    message = f"the gzip file holds more than {MAX_UNPACKED_BYTES >> 20} MiB"
                    raise Permanent(message)
                copy.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        message = "the gzip file is damaged or cut short"
        raise Permanent(message) from None
    return target


def detect_format(suffixes: Sequence[str], path: Path) -> TableFormat:
    """Return the format that the suffixes of a file's name say, or else its first bytes."""
    for suffix in reversed(suffixes):
        if known := _SUFFIXES.get(suffix.lower()):
            return known
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    return "jsonl" if head.lstrip()[:1] in {b"{", b"["} else "csv"


def csv_dialect(path: Path) -> tuple[str, int]:
    """Return the delimiter and width of a CSV file, having checked its line of column names.

    Raises:
        Permanent: the line is missing, is not UTF-8, or names no fit set of columns.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    text = _utf8(head)
    first_line = "".join(text.partition("\n")[0].split('"')[::2])  # what stands outside quotes
    delimiter = max(_DELIMITERS, key=first_line.count)
    try:
        names = next(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error:
        message = "the first line of the CSV file, which names the columns, cannot be read"
        raise Permanent(message) from None
    check_width(len(names))
    _check_names([name.strip() for name in names])
    return delimiter, len(names)


def _utf8(head: bytes) -> str:
    try:
        # Where the head was cut, up to three bytes may be the start of a character.
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) == _HEAD_BYTES and error.start > len(head) - 4:
            return head[: error.start].decode("utf-8-sig")
        message = "the file is not UTF-8 text"
        raise Permanent(message) from None


def _check_names(names: list[str]) -> None:
    if not any(names):
        message = "the first line of the CSV file must name the columns, and is blank"
        raise Permanent(message)
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name and first.setdefault(name, number) != number:
            message = f"columns {first[name]} and {number} have the same name"
            raise Permanent(message)


def check_width(columns: int) -> None:
    """Raise Permanent when a table has too many columns."""
    if columns > MAX_COLUMNS:
        message = f"the table has more than {MAX_COLUMNS} columns"
        raise Permanent(message)
