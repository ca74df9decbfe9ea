"""Files of tables, before a database reads them: their packing and their format."""

import gzip
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from processors.tables.limits import MAX_COLUMNS, MAX_UNPACKED_BYTES, TableFormat
from processors.tables.signatures import foreign
from tandem.processing import Permanent, TaskContext

Compression = Literal["gzip", "zstd"]

HEAD_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_JSON = re.compile(r"\s*(?:\[\s*(?:\{\s*[\"}]|\])|\{\s*(?:\"(?:[^\"\\]|\\.)*\"\s*:|\}))")
_STARTS_JSON = re.compile(r"[\[{\"]|(?:null|true|false|-?[0-9.eE+-]+|NaN|-?Infinity)\s*$")
_QUOTED_NAME = re.compile(r"\"[^\"\\]*\"\s*[,;\t|]")
"""How a line of CSV starts, and no JSON."""
_SUFFIXES: dict[str, TableFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}


def unpacked(path: Path, folder: Path, ctx: TaskContext) -> tuple[Path, Compression | None]:
    """Return the file itself, or what it holds when it is packed, and how it is packed.

    Raises:
        Permanent: the packed file is damaged or holds too much.
    """
    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            return path, None
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
    return target, "gzip"


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, as many as a look at it takes."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def is_parquet(path: Path, head: bytes, said: TableFormat | None) -> bool:
    """Return whether a file is Parquet: it starts as one, and ends as one or is said to be one.

    Raises:
        Permanent: the file is of a kind that holds no table of ours, or is said to be Parquet.
    """
    if head.startswith(b"PAR1"):
        with path.open("rb") as file:
            file.seek(-min(4, len(head)), os.SEEK_END)
            if said == "parquet" or file.read() == b"PAR1":
                return True
        if _BINARY.search(head[:64]):
            message = "the file is Parquet, and is damaged or cut short"
            raise Permanent(message)
    if known := foreign(head):
        raise Permanent(known)
    if said == "parquet":
        message = "the file is damaged, or is not of its format: it does not start as Parquet does"
        raise Permanent(message)
    return False


def format_of_name(suffixes: Sequence[str]) -> TableFormat | None:
    """Return the format that the suffixes of a file's name say."""
    known = (_SUFFIXES.get(suffix.lower()) for suffix in reversed(suffixes))
    return next(filter(None, known), None)


def format_of_text(start: str, said: TableFormat | None) -> TableFormat:
    """Return the format of a text, CSV or JSON, by what is said of it or how it starts.

    Raises:
        Permanent: it is said to be CSV and is JSON, or to be JSON and is not.
    """
    first_line = start.strip().partition("\n")[0]
    no_json = not _STARTS_JSON.match(first_line) or _QUOTED_NAME.match(first_line)
    if said == "jsonl" and first_line and no_json:
        message = (
            "the file is not JSON, and its name or `format` says so: give `format` as csv if it "
            "is CSV"
        )
        raise Permanent(message)
    if said == "csv" and _JSON.match(start):
        message = "the file is JSON, and its name or `format` says CSV: give `format` as jsonl"
        raise Permanent(message)
    return said or ("jsonl" if start.lstrip()[:1] in {"{", "["} else "csv")


def check_width(columns: int) -> None:
    """Raise Permanent when a table has too many columns."""
    if columns > MAX_COLUMNS:
        message = f"the table has more than {MAX_COLUMNS} columns"
        raise Permanent(message)
