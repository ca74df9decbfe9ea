"""CSV, JSON Lines or Parquet, converted to another of them by DuckDB."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from processors.tables.assumed import Assumed
from processors.tables.database import MAX_WRITTEN_BYTES
from processors.tables.limits import CONVERT_MIB_PER_SECOND, TableFormat, upload_mib
from processors.tables.table import TableInput, open_table
from tandem.processing import SavedFile, TaskContext, processor

FileName = Annotated[
    str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9])?$")
]


class Input(TableInput):
    """A table, and what to make of it."""

    to: TableFormat = Field(
        description=(
            f"The format to write, in UTF-8, {MAX_WRITTEN_BYTES >> 20} MiB at most. "
            "`csv`: RFC 4180 with a line of column names; null is an empty field and empty text "
            'is `""`; nested values are JSON. In a file of one column null is `""` too, and text '
            "is quoted, because readers skip a line that is empty or blank. "
            "Text is never changed: a spreadsheet may run what "
            "starts with `=`, `+`, `-` or `@`. "
            "`jsonl`: numbers, booleans, nested values and null are JSON's own; NaN and infinity "
            "become null, and in nested values are refused. "
            "`parquet`: columns keep their types, packed with Zstandard; integers beyond 64 bits "
            "and intervals become text, unions JSON. "
            "In `csv` and `jsonl`, decimals have all their digits, FLOAT is its shortest decimal, "
            "dates and times are ISO 8601, instants in UTC with a Z, and blobs hexadecimal, in "
            "nested values too; years before Christ are written `0044-03-15 (BC)`. "
            "A CSV upload has no types, so each column is given the narrowest "
            "that keeps all its values: `1.50` comes out as `1.5`, `007` as it is, and a column of "
            "`true` and `false` as booleans; an empty field is null, quoted or not."
        ),
        examples=["parquet"],
    )
    filename: FileName | None = Field(
        None,
        description=(
            "What to call the file: letters, digits, spaces, dots, hyphens and underscores; "
            "starts and ends with a letter or digit. By default `table.` and the format."
        ),
        examples=["sales-2024.parquet"],
    )


class Output(BaseModel):
    """The file, which is the task's result, and how much it holds."""

    file: SavedFile
    rows: int
    columns: int
    assumed: Assumed


@processor(
    "convert-table",
    time_limit=100,
    upload_mib=lambda has: upload_mib(has, CONVERT_MIB_PER_SECOND, files=2),
)
def convert_table(data: Input, ctx: TaskContext) -> Output:
    """Convert a table, or inline rows, to a CSV, JSON Lines or Parquet file."""
    from processors.tables.copying import copy_sql
    from processors.tables.writing import CONTENT_TYPES

    with TemporaryDirectory(prefix="converted-") as folder:
        target = Path(folder, "table")
        with open_table(data, ctx, writes_to=Path(folder)) as table:
            ctx.progress(1, 3, "converting the table")
            [(rows,)] = table.database.query(copy_sql(table, data.to, target))
        ctx.progress(2, 3, "saving the file")
        file = ctx.save_file(
            data.filename or f"table.{data.to}", target, content_type=CONTENT_TYPES[data.to]
        )
    return Output(file=file, rows=rows, columns=len(table.columns), assumed=table.assumed)
