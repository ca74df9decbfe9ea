"""Different values of columns, counted exactly where they fit: `distinct`, `top`, histograms.

One pass groups the table by each of several columns. Groups that memory does not hold are spilled
by the database.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from processors.tables.bins import bin_sql
from processors.tables.plain_values import kind_of, text_sql
from processors.tables.profile_bounds import CERTAIN_SHARE, MAX_BINS, TEXT_CHARACTERS, TOP_VALUES
from processors.tables.profiled_column import ProfiledColumn, Query
from tandem.processing import Permanent

MAX_COUNTED_BYTES = 400 << 20
"""How much the groups of one pass may take, by estimate: what memory does not hold is spilled."""
_COLUMNS_AT_ONCE = 25
_GROUP_BYTES = 32
_TEXT_GROUP_BYTES = 80
_ESTIMATE_ERROR = 1.15


def count_values(query: Query, view: str, columns: Sequence[ProfiledColumn], rows: int) -> None:
    """Find the different values of each column, and how many values each of its bins has.

    A column with more different values than fit keeps the estimate of their number, and has only
    those at the top that are certain to belong there.
    """
    for some in _batches(columns):
        if not _count(query, view, some) and len(some) > 1:
            for column in some:
                _count(query, view, [column])
    for column in columns:
        if not column.counted:
            _count_bins(query, view, column)
            _count_frequent(query, view, column, rows)


def _batches(columns: Sequence[ProfiledColumn]) -> Iterator[list[ProfiledColumn]]:
    """Yield columns whose groups fit beside each other."""
    batch: list[ProfiledColumn] = []
    size = 0.0
    for column in columns:
        needed = _needed_bytes(column)
        if needed > MAX_COUNTED_BYTES:
            continue
        if batch and (size + needed > MAX_COUNTED_BYTES or len(batch) == _COLUMNS_AT_ONCE):
            yield batch
            batch, size = [], 0.0
        batch.append(column)
        size += needed
    if batch:
        yield batch


def _needed_bytes(column: ProfiledColumn) -> float:
    texts = column.key_type == "VARCHAR" or kind_of(column.key_type) in {"blob", "text"}
    each = column.key_bytes + (_TEXT_GROUP_BYTES if texts else _GROUP_BYTES)
    return column.distinct * _ESTIMATE_ERROR * each


def _count(query: Query, view: str, columns: Sequence[ProfiledColumn]) -> bool:
    """Count the values of columns in one pass, and return whether their groups did fit."""
    values = ", ".join(f"{column.key} AS {column.c}" for column in columns)
    # The database reads the table once, and hands each row to all that counts one of its values.
    counts = " UNION ALL ".join(_counts_sql(n, column) for n, column in enumerate(columns))
    try:
        found = query(f"WITH seen AS (SELECT {values} FROM {view}) {counts}")  # noqa: S608
    except Permanent as refused:
        if not _is_out_of_memory(refused):
            raise
        return False
    for n, column in enumerate(columns):
        _take_counts(column, [_Counts(*counts) for number, *counts in found if number == n])
    return True


class _Counts(NamedTuple):
    """What the different values say that are in one bin, or in none."""

    bin: int | None
    distinct: int
    values: int
    often: Sequence[dict[str, Any]] | None
    """The values of more than one row that are the most frequent, with how many rows have them."""
    once: Sequence[str] | None
    """The first of the values that one row has."""


def _counts_sql(number: int, column: ProfiledColumn) -> str:
    """Return SQL for the counts of a column, by bin.

    Where there are many different values, most have one row: these are ordered by value alone,
    which is a fraction of the work.
    """
    bin_ = _bin_sql(column, "v")
    less = f"min({{'less': -n, 'v': v}}, {TOP_VALUES}) FILTER (v IS NOT NULL AND n > 1)"
    once = f"min(v, {TOP_VALUES}) FILTER (v IS NOT NULL AND n = 1)"
    of_often = f"lambda x: {{'v': {_shown_sql('x.v', column)}, 'n': -x.less}}"
    return (
        f"SELECT {number}, CAST({bin_} AS INTEGER) AS bin, count(v), "  # noqa: S608  # our names
        f"CAST(sum(n) FILTER (v IS NOT NULL) AS BIGINT), list_transform({less}, {of_often}), "
        f"list_transform({once}, lambda x: {_shown_sql('x', column)}) "
        f"FROM (SELECT {column.c} AS v, count(*) AS n FROM seen GROUP BY v) GROUP BY bin"
    )


def _take_counts(column: ProfiledColumn, counts: Sequence[_Counts]) -> None:
    column.counted = True
    column.distinct = sum(one.distinct for one in counts)
    # The bins are in the order of their values, and the values of each are.
    ordered = sorted(counts, key=lambda one: MAX_BINS if one.bin is None else one.bin)
    often = [(value["v"], value["n"]) for one in ordered for value in one.often or ()]
    once = [(value, 1) for one in ordered for value in one.once or ()]
    column.top = (sorted(often, key=lambda value: -value[1]) + once)[:TOP_VALUES]
    _take_bins(column, {one.bin: one.values for one in counts})


def _shown_sql(value: str, column: ProfiledColumn) -> str:
    return f"left({text_sql(value, column.key_type)}, {TEXT_CHARACTERS})"


def _bin_sql(column: ProfiledColumn, value: str) -> str:
    if not column.bins:
        return "NULL"
    kind = "DOUBLE" if column.type == "BIGNUM" else column.type
    number = bin_sql(column.number(value), column.bins, kind)
    return f"CASE WHEN {column.is_finite(value)} THEN {number} END"


def _take_bins(column: ProfiledColumn, values: dict[int | None, int]) -> None:
    if column.bins:
        column.bin_counts = [values.get(number, 0) for number in range(column.bins.count)]


def _count_bins(query: Query, view: str, column: ProfiledColumn) -> None:
    """Find how many values each bin of a column has, when its values were not counted."""
    if column.bins:
        bin_ = _bin_sql(column, column.c)
        found = query(f"SELECT {bin_} AS bin, count(*) FROM {view} GROUP BY bin")  # noqa: S608
        _take_bins(column, dict(found))


def _count_frequent(query: Query, view: str, column: ProfiledColumn, rows: int) -> None:
    """Find the values of a column that are certain to be its most frequent, with exact counts."""
    text = _shown_sql("v", column)
    # In a table of its own it is known to be small: the join is to hold it, and not the other side.
    query(
        "CREATE OR REPLACE TEMP TABLE monitored AS "  # noqa: S608  # our names
        f"SELECT unnest(approx_top_k({column.key}, {CERTAIN_SHARE})) AS v FROM {view}"
    )
    top = query(
        f"SELECT {text}, count(*) AS n FROM (SELECT {column.key} AS v FROM {view}) "  # noqa: S608
        f"JOIN monitored USING (v) GROUP BY v HAVING n > {rows // CERTAIN_SHARE} "
        f"ORDER BY n DESC, v LIMIT {TOP_VALUES}"
    )
    column.top = [(value, count) for value, count in top]


def _is_out_of_memory(refused: Permanent) -> bool:
    import duckdb

    return isinstance(refused.__context__, duckdb.OutOfMemoryException)
