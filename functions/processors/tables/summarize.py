"""A profile of each column of a table, by DuckDB."""

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from processors.tables.assumed import Assumed
from processors.tables.limits import (
    CERTAIN_SHARE,
    FIRST_ROWS,
    MAX_BINS,
    PROFILE_MIB_PER_SECOND,
    TEXT_CHARACTERS,
    TOP_VALUES,
    upload_mib,
)
from processors.tables.table import TableInput, open_table
from tandem.processing import TaskContext, processor

if TYPE_CHECKING:
    from processors.tables.profiled_column import ProfiledColumn


class Input(TableInput):
    """The table to summarise."""


class TopValue(BaseModel):
    """A frequent value."""

    value: str = Field(
        description=f"As text, its first {TEXT_CHARACTERS} characters: numbers with all their "
        "digits, dates and times in ISO 8601, blobs in hexadecimal, nested values as JSON."
    )
    count: int = Field(description="How many rows have it; always exact.")


class Histogram(BaseModel):
    """How the values of a column are spread."""

    edges: list[int] | list[float] | list[str] = Field(
        description=f"Where the bins begin and end, in order; {MAX_BINS} bins at most. They are "
        "round numbers, or where units of time begin, in ISO 8601.",
        examples=[[0, 10, 20, 30]],
    )
    counts: list[int] = Field(
        description="How many values each bin has, one fewer than edges. A bin holds its lower "
        "edge, and not its upper. Always exact.",
        examples=[[7, 0, 12]],
    )


class TextLengths(BaseModel):
    """How long the texts of a column are, in characters."""

    min: int
    max: int
    mean: float


class ColumnSummary(BaseModel):
    """What one column holds."""

    name: str
    type: str = Field(
        description=(
            "As DuckDB names it. Text columns of CSV are given the narrowest type that all their "
            "values have."
        ),
        examples=["BIGINT", "DECIMAL(18,2)", "VARCHAR", "TIMESTAMP WITH TIME ZONE"],
    )
    count: int = Field(description="Values that are not null.")
    nulls: int
    exact: bool = Field(
        description="Whether `distinct`, `unique`, `top` and the quartiles are exact. They are "
        "estimates in columns of very many different values, and say so in their own words. All "
        "other figures always are exact."
    )
    distinct: int = Field(
        description="Different values that are not null. Unless `exact` it may be an estimate, "
        "mostly within 10 %."
    )
    unique: bool | None = Field(
        description="Whether the column is a key: all its values are different, and none is null. "
        "Null where that is not known."
    )
    non_finite: int | None = Field(
        None,
        description="NaN and infinite values of a floating-point column; the figures below, "
        "`top` apart, leave them out.",
    )
    min: int | float | str | None = Field(
        None,
        description="Numbers as numbers, and a decimal that a double would change as text with all "
        "its digits; dates and times in ISO 8601; text by code point order, its first "
        f"{TEXT_CHARACTERS} characters; null for nested values, blobs and intervals.",
    )
    max: int | float | str | None = None
    mean: float | None = Field(
        None,
        description="Of numbers, in double precision, whatever the order of the rows. To 13 digits "
        "where very many values differ and their sum is not exact.",
    )
    stddev: float | None = Field(
        None,
        description="Sample standard deviation (n - 1), to 12 digits; null for fewer than two "
        "numbers.",
    )
    q25: float | None = Field(
        None,
        description="Lower quartile, interpolated linearly. Unless `exact` the quartiles may be "
        "estimates, mostly within 1 % of the rows.",
    )
    median: float | None = None
    q75: float | None = None
    lengths: TextLengths | None = Field(None, description="Of text.")
    blanks: int | None = Field(
        None, description="Texts that are empty or nothing but white space; a null is none of them."
    )
    top: list[TopValue] = Field(
        description=f"The {TOP_VALUES} most frequent values, ties by value. Unless `exact` these "
        f"may be fewer: those that more than one row of {CERTAIN_SHARE} has, of which none is "
        "missed."
    )
    histogram: Histogram | None = Field(
        None,
        description="Of numbers, dates and times; null where one of them is infinite, or its year "
        "is not from 1 to 9999.",
    )


class Output(BaseModel):
    """The profile of a table."""

    rows: int
    exact: bool = Field(description="Whether all columns are exact.")
    columns: list[ColumnSummary]
    assumed: Assumed
    first_rows: list[list[str | None]] = Field(
        description=f"The first {FIRST_ROWS} rows, their values in the columns' order, as text "
        "like that of `top`."
    )


@processor(
    "summarize-table",
    time_limit=100,
    cache_for=3600,
    upload_mib=lambda has: upload_mib(has, PROFILE_MIB_PER_SECOND),
)
def summarize_table(data: Input, ctx: TaskContext) -> Output:
    """Profile each column of a CSV, JSON Lines or Parquet table, or of inline rows."""
    from processors.tables.profile import profile

    with open_table(data, ctx) as table:
        ctx.progress(1, 2, "profiling the columns")
        found = profile(table)
    columns = [
        _summary(column.name, found.rows, profiled)
        for column, profiled in zip(table.columns, found.columns, strict=True)
    ]
    return Output(
        rows=found.rows,
        exact=all(column.exact for column in columns),
        columns=columns,
        first_rows=found.first_rows,
        assumed=table.assumed,
    )


def _summary(name: str, rows: int, found: "ProfiledColumn") -> ColumnSummary:
    q25, median, q75 = found.quartiles or (None, None, None)
    lengths, bins = found.lengths, found.bins
    nulls = rows - found.count
    unique = found.distinct == rows if found.counted else None
    return ColumnSummary(
        name=name,
        type=found.type,
        count=found.count,
        nulls=nulls,
        exact=found.counted and found.quartiles_exact,
        distinct=found.distinct,
        unique=False if nulls else unique,
        non_finite=found.non_finite,
        min=_plain(found.least),
        max=_plain(found.greatest),
        mean=_finite(found.mean),
        stddev=_finite(found.stddev),
        q25=_finite(q25),
        median=_finite(median),
        q75=_finite(q75),
        lengths=None
        if lengths is None
        else TextLengths(min=lengths.least, max=lengths.greatest, mean=lengths.mean),
        blanks=found.blanks,
        top=[TopValue(value=value, count=count) for value, count in found.top],
        histogram=None if bins is None else Histogram(edges=bins.edges, counts=found.bin_counts),
    )


def _plain(value: Decimal | float | str | None) -> float | str | None:
    """Return a value, a decimal as the number that JSON's readers make of it, or else as text."""
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else format(value, "f")
    return value + 0.0 if isinstance(value, float) else value  # without the sign of a zero


def _finite(value: float | None) -> float | None:
    """Return a figure, or None for one beyond what a double holds."""
    return value if value is not None and math.isfinite(value) else None
