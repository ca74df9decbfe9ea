"""CSV, JSON Lines or Parquet, converted to another of them by DuckDB."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from processors.tables.database import MAX_WRITTEN_BYTES, NON_FINITE
from processors.tables.files import TableFormat
from processors.tables.plain_values import Kind, kind_of, plain_sql, quoted
from processors.tables.table import Column, Table, TableInput, open_table
from tandem.processing import Permanent, SavedFile, TaskContext, processor

FileName = Annotated[
    str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9])?$")
]

_CONTENT_TYPES: dict[TableFormat, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_OPTIONS: dict[TableFormat, str] = {
    "csv": "FORMAT csv, HEADER true, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR '', "
    "NEW_LINE '\\r\\n'",
    "jsonl": "FORMAT json, ARRAY false",
    "parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}",
}
_ROW_GROUP_ROWS = 122_880
_ROW_GROUP_CELLS = 2_000_000
_JSON_TEXT = r'"(\\.|[^"\\])*"'
_NOT_IN_PARQUET = ("HUGEINT", "UHUGEINT", "BIGNUM", "INTERVAL", "TIME WITH TIME ZONE", "UNION")


class Input(TableInput):
    """A table, and what to make of it."""

    to: TableFormat = Field(
        description=(
            f"The format to write, in UTF-8, {MAX_WRITTEN_BYTES >> 20} MiB at most. "
            "`csv`: RFC 4180 with a line of column names; null is an empty field and empty text "
            'is `""`; nested values are JSON. Text is never changed: a spreadsheet may run what '
            "starts with `=`, `+`, `-` or `@`. "
            "`jsonl`: numbers, booleans, nested values and null are JSON's own, decimals with all "
            "their digits; NaN and infinity become null. "
            "`parquet`: columns keep their types, packed with Zstandard; integers beyond 64 bits "
            "and intervals become text, unions JSON. "
            "In `csv` and `jsonl`, dates and times are ISO 8601, instants in UTC with a Z, and "
            "blobs hexadecimal. A CSV upload has no types, so each column is given the narrowest "
            "that all its values have: `1.50` comes out as `1.5`, `007` as it is, and a column of "
            "`yes` and `no`, or `t` and `f`, as booleans; an empty field is null, quoted or not. "
            "Integers beyond 64 bits in JSON are read as DOUBLE."
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


@processor("convert-table", time_limit=100)
def convert_table(data: Input, ctx: TaskContext) -> Output:
    """Convert a table, or inline rows, to a CSV, JSON Lines or Parquet file."""
    with TemporaryDirectory(prefix="converted-") as folder:
        target = Path(folder, "table")
        with open_table(data, ctx, writes_to=Path(folder)) as table:
            ctx.progress(1, 3, "converting the table")
            columns = _narrowed(table) if data.to == "parquet" else table.columns
            [(rows,)] = table.database.query(_copy_sql(columns, data.to, target))
        ctx.progress(2, 3, "saving the file")
        file = ctx.save_file(
            data.filename or f"table.{data.to}", target, content_type=_CONTENT_TYPES[data.to]
        )
    return Output(file=file, rows=rows, columns=len(columns))


def _narrowed(table: Table) -> list[Column]:
    """Return the columns, those of large integers as BIGINT where all their values fit.

    DuckDB reads integers of both signs in JSON as HUGEINT.
    """
    large = [quoted(column.name) for column in table.columns if column.type == "HUGEINT"]
    if not large:
        return table.columns
    fits = ", ".join(
        f"coalesce(min({c}) >= {-(2**63)} AND max({c}) < {2**63}, true)" for c in large
    )
    [found] = table.database.query(f"SELECT {fits} FROM data")  # noqa: S608  # names are quoted
    fitting = {name for name, fit in zip(large, found, strict=True) if fit}
    return [
        Column(column.name, "BIGINT") if quoted(column.name) in fitting else column
        for column in table.columns
    ]


def _copy_sql(columns: list[Column], to: TableFormat, target: Path) -> str:
    if not all(column.name for column in columns):
        message = "a column has no name"
        raise Permanent(message)
    values = ", ".join(f"{_value_sql(column, to)} AS {quoted(column.name)}" for column in columns)
    options = _OPTIONS[to].format(rows=min(_ROW_GROUP_ROWS, _ROW_GROUP_CELLS // len(columns)))
    # The target is in a folder that Python named, without a quote in it.
    return f"COPY (SELECT {values} FROM data) TO '{target}' ({options})"  # noqa: S608


def _value_sql(column: Column, to: TableFormat) -> str:
    name = quoted(column.name)
    plain = plain_sql(name, column.type)
    match to, kind_of(column.type):
        case "parquet", kind:
            return _parquet_sql(name, column.type, kind, plain)
        case "jsonl", "float":
            return f"CASE WHEN isfinite({name}) THEN {name} END"
        case _, "nested":
            # What is left of it without its texts has these words only where they are numbers.
            rest = f"regexp_replace(CAST({plain} AS VARCHAR), '{_JSON_TEXT}', '', 'g')"
            checked = f"CASE WHEN regexp_matches({rest}, 'NaN|Infinity') THEN error('{NON_FINITE}')"
            checked += f" ELSE {plain} END"
            return checked if to == "jsonl" else f"CAST({checked} AS VARCHAR)"
    return plain


def _parquet_sql(name: str, column_type: str, kind: Kind, plain: str) -> str:
    """Return SQL for what Parquet can hold; DuckDB would put the nearest type in its place."""
    if kind == "large integer":
        return f"CAST({name} AS VARCHAR)"
    if kind == "nested":
        return plain if any(one in column_type for one in _NOT_IN_PARQUET) else name
    if column_type == "BIGINT":  # it may be what a HUGEINT was narrowed to
        return f"CAST({name} AS BIGINT)"
    return plain if column_type in _NOT_IN_PARQUET else name
