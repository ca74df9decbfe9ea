"""One SQL query over tables, by a DuckDB that can do nothing else."""

from typing import Annotated, Any, Self, override

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WrapValidator,
    model_validator,
)
from pydantic.config import JsonDict

from processors.tables.assumed import Assumed
from processors.tables.limits import (
    MAX_COLUMNS,
    QUERY_FILE_BYTES,
    QUERY_MEMORY,
    QUERY_MIB_PER_SECOND,
    QUERY_RESULT_BYTES,
    QUERY_SECONDS,
    TableFormat,
    upload_mib,
)
from processors.tables.options import ReadOptions
from processors.tables.table import TableInput, TableSource
from tandem.processing import SavedFile, TaskContext, Upload, processor
from tandem.processing.output import NUMBERS_ONLY

MAX_SQL_CHARACTERS = 10_000
MAX_RESULT_ROWS = 10_000
DEFAULT_ROWS = 1000
MAX_TABLES = 8

TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
_NO_OTHER_NAMES = Field(json_schema_extra={"additionalProperties": False})
"""Pydantic's schema says what names of the pattern hold, and nothing of others."""


def _read_options(value: Any, _: object) -> ReadOptions | dict[str, ReadOptions]:
    """Return the options of one table, or of each by name: then all that is there are objects.

    Pydantic would try both, and say what is wrong with each.
    """
    from pydantic import TypeAdapter

    if isinstance(value, dict) and value and value.keys() != {"types"}:
        parts = value.values()
        if all(isinstance(part, dict | ReadOptions) for part in parts):
            return TypeAdapter(dict[TableName, ReadOptions]).validate_python(value)
    return ReadOptions.model_validate(value)


def _source(name: str, kind: str) -> JsonDict:
    """Return the schema of an input that takes its tables from one field."""
    others: JsonDict = {other: {"type": "null"} for other in ("rows", "upload", "uploads")}
    if name != "upload":
        others["format"] = {"type": "null"}
    return {"required": [name], "properties": others | {name: {"type": kind}}}


class Input(TableSource):
    """Tables, and what to ask of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                _source("rows", "array"),
                _source("upload", "string"),
                _source("uploads", "object"),
            ]
        },
    )

    uploads: Annotated[dict[TableName, Upload], _NO_OTHER_NAMES] | None = Field(
        None,
        min_length=1,
        max_length=MAX_TABLES,
        description=(
            f"Ids of up to {MAX_TABLES} uploads by the names of the tables that they are in the "
            "query, in place of `upload`. Names are of letters, digits and underscores, and "
            "differ in more than case."
        ),
        examples=[
            {
                "orders": "01981f6c-7a3e-7c11-9b1f-3f6f0c9f4a10",
                "customers": "01981f6c-7a3e-7c11-9b1f-3f6f0c9f4a11",
            }
        ],
    )
    options: Annotated[
        ReadOptions | Annotated[dict[TableName, ReadOptions], _NO_OTHER_NAMES],
        WrapValidator(_read_options),
    ] = Field(
        ReadOptions(),
        description=(
            "What to take for granted of the table, where what is assumed is wrong. With "
            "`uploads`, such options by the names of their tables."
        ),
        examples=[{"delimiter": ";"}, {"orders": {"delimiter": ";"}, "customers": {}}],
    )
    sql: str = Field(
        min_length=1,
        max_length=MAX_SQL_CHARACTERS,
        description=(
            "One SELECT in DuckDB's SQL, over the table `data` or those that `uploads` names. It "
            "sees no files, network, extensions or settings, and has "
            f"{QUERY_MEMORY} of memory and {QUERY_SECONDS} s."
        ),
        examples=["SELECT city, sum(amount) AS total FROM data GROUP BY city ORDER BY total DESC"],
    )
    limit: Annotated[int, Field(ge=1, le=MAX_RESULT_ROWS), NUMBERS_ONLY] | None = Field(
        None,
        description=f"How many rows to return at most; {DEFAULT_ROWS} by default. Not with `to`.",
        examples=[100],
    )
    to: TableFormat | None = Field(
        None,
        description=(
            "The format of a file to write the whole result to, "
            f"{QUERY_FILE_BYTES >> 20} MiB at most, in place of rows in the output. Values are "
            "written as `convert-table` writes them, but integers beyond 64 bits are refused in "
            "`parquet`."
        ),
        examples=["parquet"],
    )

    @override
    def check_source(self) -> None:
        """Raise ValueError when not one source is given, or what does not go with it."""
        if [self.rows, self.upload, self.uploads].count(None) != 2:
            message = "give one of rows, upload and uploads"
            raise ValueError(message)
        if self.uploads is None:
            super().check_source()
        elif self.format is not None:
            message = "format goes with upload"
            raise ValueError(message)
        elif len({name.lower() for name in self.uploads}) < len(self.uploads):
            message = "names of uploads must differ in more than case"
            raise ValueError(message)
        self._check_options()

    def _check_options(self) -> None:
        if not isinstance(self.options, ReadOptions):
            if strangers := self.options.keys() - (self.uploads or {}):
                message = f"options are given for {min(strangers)!r}, which uploads does not name"
                raise ValueError(message)
        elif self.uploads is not None and self.options.model_fields_set:
            message = "give options by the names in uploads"
            raise ValueError(message)
        for table in self.tables().values():
            table.check_source()

    @model_validator(mode="after")
    def _one_result(self) -> Self:
        if self.to is not None and self.limit is not None:
            message = "limit goes without to: write LIMIT in the query"
            raise ValueError(message)
        return self

    def tables(self) -> dict[str, TableInput]:
        """Return the tables by their names in the query."""
        if isinstance(self.options, ReadOptions):
            each, default = {}, self.options
        else:
            each, default = self.options, ReadOptions()
        sources = {"data": self.upload} if self.uploads is None else self.uploads
        return {
            name: TableInput.model_construct(
                rows=self.rows, upload=upload, format=self.format, options=each.get(name, default)
            )
            for name, upload in sources.items()
        }


class ResultColumn(BaseModel):
    """A column of the result."""

    name: str = Field(description="A name that comes twice gets a number appended.")
    type: str = Field(
        description="As DuckDB names it.", examples=["BIGINT", "VARCHAR", "DECIMAL(18,2)"]
    )


class Output(BaseModel):
    """The result: its rows, or the file that holds them."""

    columns: list[ResultColumn] = Field(description=f"{MAX_COLUMNS} at most.")
    rows: list[list[Any]] | None = Field(
        description=(
            "The values in the columns' order. Booleans, text and null are what they are in JSON. "
            "Integers are numbers with all their digits, which may be more than the 53 bits that "
            "JavaScript keeps; BIGNUM is text. FLOAT and DOUBLE are numbers, and null where they "
            "are NaN or infinite. DECIMAL is text, so that it stays exact: cast it to DOUBLE for "
            "a number. Dates and times are text in ISO 8601, instants in UTC with a Z; blobs are "
            "text in hexadecimal; lists, structs, maps and JSON are nested JSON, whose values are "
            "as DuckDB writes them in JSON: a number that a double would change is text. Other "
            "types are text. Null with `to`."
        ),
        examples=[[["Oslo", 12.5], ["Bergen", None]]],
    )
    row_count: int = Field(description="How many rows are returned, or written to the file.")
    truncated: bool = Field(
        description="Whether the result has more rows than are returned: more than `limit`, or "
        f"more than fit in {QUERY_RESULT_BYTES >> 20} MiB of JSON. A file always has all."
    )
    file: SavedFile | None = Field(
        None, description="With `to`: the file, which is the task's result."
    )
    assumed: Assumed | dict[str, Assumed] = Field(
        description="How the table was read; with `uploads`, by the names of the tables."
    )


@processor(
    "query-table",
    time_limit=100,
    upload_mib=lambda has: upload_mib(has, QUERY_MIB_PER_SECOND, seconds=QUERY_SECONDS),
)
def query_table(data: Input, ctx: TaskContext) -> Output:
    """Run one SQL query over CSV, JSON Lines or Parquet tables, or over inline rows."""
    from processors.tables.query_runner import run_query, write_query

    if data.to:
        result = write_query(data.tables(), data.sql, data.to, ctx)
    else:
        result = run_query(data.tables(), data.sql, data.limit or DEFAULT_ROWS, ctx)
    answer = result.answer
    return Output(
        columns=[ResultColumn(name=name, type=kind) for name, kind in answer["columns"]],
        rows=None if data.to else answer["rows"],
        row_count=answer["row_count"],
        truncated=answer["truncated"],
        file=result.file,
        assumed=result.assumed if data.uploads else result.assumed["data"],
    )
