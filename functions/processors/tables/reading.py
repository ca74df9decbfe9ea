"""A table's file as the view `data` of its database, whatever format it is in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from processors.tables import files, texts, zstd
from processors.tables.assumed import Assumed
from processors.tables.csv_view import view_csv
from processors.tables.database import Database
from processors.tables.json_view import view_json
from processors.tables.limits import TableFormat
from processors.tables.options import ReadOptions
from processors.tables.parquet_view import view_parquet
from tandem.processing import Permanent, TaskContext

if TYPE_CHECKING:
    from processors.tables.table import TableInput


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of a table on the function's disk, unpacked."""

    path: Path
    """A plain name: DuckDB takes hints, and patterns, from names."""
    said: TableFormat | None
    """The format that the caller or the file's name says."""
    compression: files.Compression | None = None


@contextmanager
def local_file(source: "TableInput", folder: Path, ctx: TaskContext) -> Iterator[LocalFile]:
    """Return the file of a table.

    Raises:
        Permanent: there is no such upload, or it is empty, damaged, or holds too much.
    """
    path = folder / "table"
    if source.rows is not None:
        with path.open("w", encoding="ascii") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in source.rows)
        yield LocalFile(path, "jsonl")
        return
    with ctx.fetch_upload(source.upload or "") as upload:
        ctx.progress(0, None, "reading the table")
        if zstd.is_packed(upload):
            unpacked = zstd.unpack(upload, folder, ctx)
            compression: files.Compression | None = "zstd"
        else:
            unpacked, compression = files.unpacked(upload, folder, ctx)
        path.symlink_to(unpacked.resolve())
        if path.stat().st_size == 0:
            message = "the file is empty"
            raise Permanent(message)
        said = source.format or files.format_of_name(upload.suffixes)
        yield LocalFile(path, said, compression)


def view(database: Database, file: LocalFile, options: ReadOptions, ctx: TaskContext) -> Assumed:
    """Make `data` stand for the file, having shown that it can be read. Return what was assumed.

    Raises:
        Permanent: it cannot be read.
    """
    head = files.head_of(file.path)
    if files.is_parquet(file.path, head, file.said):
        _check_options(options, "parquet")
        return view_parquet(database, options)
    text = texts.text_file(file.path, head, options.encoding)
    if files.format_of_text(text.start, file.said) == "csv":
        assumed = view_csv(database, text, options)
    else:
        _check_options(options, "json")
        assumed = view_json(database, text, options, ctx)
    return assumed.model_copy(update={"compression": file.compression})


def _check_options(options: ReadOptions, kind: str) -> None:
    if unfit := options.unfit(kind):
        message = f"options.{unfit} says nothing of {kind.upper() if kind == 'json' else 'Parquet'}"
        raise Permanent(message)
