"""Tables for processors: inline rows or an upload, as the view `data` of a locked-down DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Self, override

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from processors.tables.assumed import Assumed
from processors.tables.limits import (
    MAX_COLUMNS,
    MAX_NAME_CHARACTERS,
    MAX_UNPACKED_BYTES,
    TableFormat,
)
from processors.tables.options import ReadOptions
from tandem.processing import Permanent, TaskContext, Upload

if TYPE_CHECKING:
    from processors.tables.database import Database

MAX_ROWS = 10_000
SMALL_FILE_BYTES = 16 << 20
SMALL_TABLE_CELLS = 2_000_000

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS)]
Scalar = str | bool | int | float | None
_NULL: JsonDict = {"type": "null"}
_ROWS: JsonDict = {
    "required": ["rows"],
    "properties": {"rows": {"type": "array"}, "upload": _NULL, "format": _NULL},
}
_UPLOAD: JsonDict = {
    "required": ["upload"],
    "properties": {"upload": {"type": "string"}, "rows": _NULL},
}


class TableSource(BaseModel):
    """Where a table is: rows in the request, or an upload."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"oneOf": [_ROWS, _UPLOAD]},
    )

    rows: list[dict[ColumnName, Scalar]] | None = Field(
        None,
        min_length=1,
        max_length=MAX_ROWS,
        description=(
            f"The rows themselves, by column name; {MAX_COLUMNS} different columns at most. "
            "A name that a row leaves out is null there."
        ),
        examples=[[{"city": "Oslo", "amount": 12.5}, {"city": "Bergen", "amount": None}]],
    )
    upload: Upload | None = Field(
        None,
        min_length=1,
        max_length=64,
        description=(
            "Id of an upload that holds the table in CSV, JSON (one object a line, an array of "
            "objects, or one after another) or Parquet, the first two also packed with gzip or "
            f"zstd ({MAX_UNPACKED_BYTES >> 20} MiB unpacked at most). The first line of a CSV file "
            "names its columns; comma, semicolon, tab or bar delimit them, unless `options` say "
            "otherwise. "
            "The type of a column is the narrowest that keeps all its values, in whatever order. "
            "Dates and times are read in ISO 8601, and other forms as text. A name that comes "
            "twice, in whatever case, gets a number appended."
        ),
        examples=["01981f6c-7a3e-7c11-9b1f-3f6f0c9f4a10"],
    )
    format: TableFormat | None = Field(
        None,
        description="The upload's format; by default what its name's suffix or its content says.",
        examples=["csv"],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        self.check_source()
        return self

    def check_source(self) -> None:
        """Raise ValueError when not one source is given, or what does not go with it."""
        if (self.rows is None) == (self.upload is None):
            message = "give either rows or upload"
            raise ValueError(message)
        if self.rows is not None:
            if self.format is not None:
                message = "format goes with upload"
                raise ValueError(message)
            width = len({name for row in self.rows for name in row})
            if not 0 < width <= MAX_COLUMNS:
                message = f"rows must have 1 to {MAX_COLUMNS} different columns, not {width}"
                raise ValueError(message)


class TableInput(TableSource):
    """A table, and how it is to be read."""

    options: ReadOptions = Field(
        default=ReadOptions(),
        description="What to take for granted of the table, where what is assumed is wrong.",
        examples=[{"delimiter": ";", "decimal": ",", "types": {"zip": "text"}}],
    )

    @override
    def check_source(self) -> None:
        """Raise ValueError when not one source is given, or what does not go with it."""
        super().check_source()
        kind = {"csv": "csv", "jsonl": "json"}.get(self.format or "", self.format)
        if unfit := self.options.unfit("rows" if self.rows is not None else kind or "csv"):
            message = f"options.{unfit} says nothing of {self.format or 'rows'}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the view: its name, and its type as DuckDB writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """The view `data` of a database."""

    database: "Database"
    columns: list[Column]
    small: bool
    """Whether all its distinct values fit in memory."""
    assumed: Assumed


@contextmanager
def open_table(
    source: TableInput, ctx: TaskContext, *, writes_to: Path | None = None
) -> Iterator[Table]:
    """Return the table as a view that was read once and found whole.

    Its database may write to the folder that `writes_to` names.

    Raises:
        Permanent: the table cannot be read. The reason is for the caller's eyes.
        Abandoned: the attempt is over.
    """
    # What reads a table is imported with the first: a start needs only the models.
    from processors.tables.database import open_database
    from processors.tables.reading import local_file, view

    with (
        TemporaryDirectory(prefix="table-") as folder,
        local_file(source, Path(folder), ctx) as file,
        open_database(file.path, Path(folder, "spill"), ctx, writes_to=writes_to) as database,
    ):
        assumed = view(database, file, source.options, ctx)
        columns = [
            Column(name, kind.strip('"')) for name, kind, *_ in database.query("DESCRIBE data")
        ]
        _check_names([column.name for column in columns])
        _check_depth(columns)
        small = file.path.stat().st_size <= SMALL_FILE_BYTES
        if (
            assumed.format == "parquet" and small
        ):  # its size says little: values may repeat at no cost
            rows = database.query("SELECT count(*) FROM data")[0][0]
            small = rows * len(columns) <= SMALL_TABLE_CELLS
        yield Table(database, columns, small, assumed)


def _check_names(names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        message = f"the table has more than {MAX_COLUMNS} columns"
        raise Permanent(message)
    if any(len(name) > MAX_NAME_CHARACTERS for name in names):
        message = f"a column's name is longer than {MAX_NAME_CHARACTERS} characters"
        raise Permanent(message)


def _check_depth(columns: list[Column]) -> None:
    from processors.tables.plain_values import MAX_LAMBDAS, is_too_deep

    for column in columns:
        if is_too_deep(column.type):
            message = (
                f"the column {column.name[:100]!r} has lists within lists, more than "
                f"{MAX_LAMBDAS} deep: write it as text"
            )
            raise Permanent(message)
