"""A profile of each column of a table, by DuckDB."""

import math
from decimal import Decimal

from pydantic import BaseModel, Field

from processors.tables.assumed import Assumed
from processors.tables.profile import TEXT_CHARACTERS, TOP_VALUES, Figures, profile
from processors.tables.table import TableInput, open_table
from tandem.processing import TaskContext, processor


class Input(TableInput):
    """The table to summarise."""


class TopValue(BaseModel):
    """A frequent value."""

    value: str = Field(description=f"As text, its first {TEXT_CHARACTERS} characters.")
    count: int


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
    distinct: int = Field(
        description="Different values that are not null; an estimate unless `exact`."
    )
    non_finite: int | None = Field(
        None,
        description="NaN and infinite values of a floating-point column; the figures below, "
        "`distinct` apart, leave them out.",
    )
    min: int | float | str | None = Field(
        None,
        description="Numbers as numbers; dates and times in ISO 8601; text by code point order, "
        f"its first {TEXT_CHARACTERS} characters; null for nested and binary columns.",
    )
    max: int | float | str | None = None
    mean: float | None = Field(None, description="Of numbers, in double precision.")
    stddev: float | None = Field(
        None, description="Sample standard deviation (n - 1); null for fewer than two numbers."
    )
    q25: float | None = Field(
        None, description="Lower quartile, interpolated linearly; an estimate unless `exact`."
    )
    median: float | None = None
    q75: float | None = None
    top: list[TopValue] | None = Field(
        None,
        description=f"The {TOP_VALUES} most frequent values of text and boolean columns, ties by "
        "value. Their counts are exact; unless `exact`, a value may be missed where many occur "
        "about as often.",
    )


class Output(BaseModel):
    """The profile of a table."""

    rows: int
    exact: bool = Field(
        description="Whether `distinct`, the quartiles and `top` are exact: so for small tables "
        "(16 MiB unpacked, and in Parquet 2 million cells). Everything else always is."
    )
    columns: list[ColumnSummary]
    assumed: Assumed


@processor("summarize-table", time_limit=100, cache_for=3600)
def summarize_table(data: Input, ctx: TaskContext) -> Output:
    """Profile each column of a CSV, JSON Lines or Parquet table, or of inline rows."""
    with open_table(data, ctx) as table:
        ctx.progress(1, 2, "profiling the columns")
        rows, columns = profile(table)
    return Output(
        rows=rows,
        exact=table.small,
        columns=[
            _summary(column.name, column.type, rows, figures)
            for column, figures in zip(table.columns, columns, strict=True)
        ],
        assumed=table.assumed,
    )


def _summary(name: str, column_type: str, rows: int, figures: Figures) -> ColumnSummary:
    count = figures["count"]
    q25, median, q75 = figures.get("quartiles") or (None, None, None)
    return ColumnSummary(
        name=name,
        type=column_type,
        count=count,
        nulls=rows - count,
        distinct=min(figures["distinct"], count),
        non_finite=figures.get("non_finite"),
        min=_plain(figures.get("min")),
        max=_plain(figures.get("max")),
        mean=_finite(figures.get("mean")),
        stddev=_finite(figures.get("stddev")),
        q25=_finite(q25),
        median=_finite(median),
        q75=_finite(q75),
        top=figures.get("top"),
    )


def _plain(value: Decimal | float | str | None) -> float | str | None:
    return float(value) if isinstance(value, Decimal) else value


def _finite(value: float | None) -> float | None:
    """Return a figure, or None for one beyond what a double holds."""
    return value if value is not None and math.isfinite(value) else None
