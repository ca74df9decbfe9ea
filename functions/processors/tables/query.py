"""One SQL query over a table, by a DuckDB that can do nothing else."""

from typing import Any

from pydantic import BaseModel, Field

from processors.tables.files import MAX_COLUMNS
from processors.tables.query_runner import MAX_RESULT_BYTES, MAX_SECONDS, MEMORY_LIMIT, run_query
from processors.tables.table import TableInput
from tandem.processing import TaskContext, WholeNumber, processor

MAX_SQL_CHARACTERS = 10_000
MAX_RESULT_ROWS = 10_000


class Input(TableInput):
    """A table, and what to ask of it."""

    sql: str = Field(
        min_length=1,
        max_length=MAX_SQL_CHARACTERS,
        description=(
            "One SELECT in DuckDB's SQL, over the table `data`. It sees no files, network, "
            f"extensions or settings, and has {MEMORY_LIMIT} of memory and {MAX_SECONDS} s."
        ),
        examples=["SELECT city, sum(amount) AS total FROM data GROUP BY city ORDER BY total DESC"],
    )
    limit: WholeNumber = Field(
        1000,
        ge=1,
        le=MAX_RESULT_ROWS,
        description="How many rows to return at most.",
        examples=[100],
    )


class ResultColumn(BaseModel):
    """A column of the result."""

    name: str = Field(description="A name that comes twice gets a number appended.")
    type: str = Field(
        description="As DuckDB names it.", examples=["BIGINT", "VARCHAR", "DECIMAL(18,2)"]
    )


class Output(BaseModel):
    """The rows of the result."""

    columns: list[ResultColumn] = Field(description=f"{MAX_COLUMNS} at most.")
    rows: list[list[Any]] = Field(
        description=(
            "The values in the columns' order. Booleans, text and null are what they are in JSON. "
            "Integers are numbers with all their digits, which may be more than the 53 bits that "
            "JavaScript keeps; BIGNUM is text. FLOAT and DOUBLE are numbers, and null where they "
            "are NaN or infinite. DECIMAL is text, so that it stays exact: cast it to DOUBLE for "
            "a number. Dates and times are text in ISO 8601, instants in UTC with a Z; blobs are "
            "text in hexadecimal; lists, structs, maps and JSON are nested JSON, whose values are "
            "as DuckDB writes them in JSON. Other types are text."
        ),
        examples=[[["Oslo", 12.5], ["Bergen", None]]],
    )
    row_count: int = Field(description="How many rows are returned.")
    truncated: bool = Field(
        description="Whether the result has more rows than are returned: more than `limit`, or "
        f"more than fit in {MAX_RESULT_BYTES >> 20} MiB of JSON."
    )


@processor("query-table", time_limit=100)
def query_table(data: Input, ctx: TaskContext) -> Output:
    """Run one SQL query over a CSV, JSON Lines or Parquet table, or over inline rows."""
    answer = run_query(data, data.sql, data.limit, ctx)
    return Output(
        columns=[ResultColumn(name=name, type=kind) for name, kind in answer["columns"]],
        rows=answer["rows"],
        row_count=len(answer["rows"]),
        truncated=answer["truncated"],
    )
