"""The profile of a table: the passes that find the figures of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from processors.tables.counting import count_values
from processors.tables.figures import figures_sql, take_figures
from processors.tables.frequent import find_frequent
from processors.tables.limits import FIRST_ROWS, TEXT_CHARACTERS
from processors.tables.plain_values import text_sql
from processors.tables.profiled_column import ProfiledColumn, Query
from processors.tables.quartiles import find_quartiles
from processors.tables.table import Table

COLUMNS_AT_ONCE = 50
"""One pass looks at so many: the figures of each take memory while they are made."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is found of a table."""

    rows: int
    columns: list[ProfiledColumn]
    first_rows: list[list[str | None]]


def profile(table: Table) -> Profile:
    """Return the profile of a table."""
    query = table.database.query
    columns = [ProfiledColumn(f"c{n}", column.type) for n, column in enumerate(table.columns)]
    source = "data"
    if table.small:
        query("CREATE TEMP TABLE kept AS FROM data")
        source = "kept"
    # The file's own names never reach the SQL.
    view = f"{source} AS t({', '.join(column.c for column in columns)})"
    rows = 0
    for some in batched(columns, COLUMNS_AT_ONCE, strict=False):
        parts = ", ".join(figures_sql(column) for column in some)
        [(rows, *found)] = query(f"SELECT count(*), {parts} FROM {view}")  # noqa: S608  # our names
        for column, figures in zip(some, found, strict=True):
            take_figures(column, figures)
    count_values(query, view, columns, rows)
    find_frequent(query, view, [column for column in columns if not column.counted], rows)
    find_quartiles(query, view, columns)
    return Profile(rows, columns, _first_rows(query, view, columns))


def _first_rows(
    query: Query, view: str, columns: Sequence[ProfiledColumn]
) -> list[list[str | None]]:
    texts = ", ".join(
        f"left({text_sql(column.c, column.type)}, {TEXT_CHARACTERS})" for column in columns
    )
    rows: list[tuple[Any, ...]] = query(f"SELECT {texts} FROM {view} LIMIT {FIRST_ROWS}")  # noqa: S608
    return [list(row) for row in rows]
