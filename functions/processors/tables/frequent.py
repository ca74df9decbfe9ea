"""The values that are certain to be a column's most frequent, where its values are not counted."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import batched

from processors.tables.counting import bin_of_sql, shown_sql
from processors.tables.limits import CERTAIN_SHARE
from processors.tables.profiled_column import ProfiledColumn, Query

_COLUMNS_AT_ONCE = 50


def find_frequent(query: Query, view: str, columns: Sequence[ProfiledColumn], rows: int) -> None:
    """Find the frequent values of columns that are not counted, and how many each bin has.

    Both are counted exactly: one pass monitors the values that seem frequent, the other counts
    them. A value that makes up more than one row of CERTAIN_SHARE cannot slip through. Each pass
    holds no more than the values that it monitors, however long the table is.
    """
    for some in batched(columns, _COLUMNS_AT_ONCE, strict=False):
        monitored = ", ".join(
            f"approx_top_k({_key_sql(column)}, {CERTAIN_SHARE}) AS {column.c}" for column in some
        )
        query(f"CREATE OR REPLACE TEMP TABLE monitored AS SELECT {monitored} FROM {view}")  # noqa: S608
        counts = ", ".join(part for column in some for part in _counts_sql(column))
        [found] = query(f"SELECT {counts} FROM {view}")  # noqa: S608  # our names
        for column, often, in_bins in zip(some, found[::2], found[1::2], strict=True):
            column.take_top((value, n) for value, n in often if n > rows // CERTAIN_SHARE)
            bins: dict[int | None, int] = defaultdict(int)
            bins |= dict(enumerate(in_bins))
            column.take_bins(bins)


def _key_sql(column: ProfiledColumn) -> str:
    # A histogram makes doubles of decimals.
    return f"CAST({column.key} AS VARCHAR)" if column.group == "decimal" else column.key


def _counts_sql(column: ProfiledColumn) -> tuple[str, str]:
    """Return SQL for the rows of each monitored value, and for the rows of each bin."""
    values = f"(SELECT {column.c} FROM monitored)"  # noqa: S608  # our names
    if column.group == "float":
        values = f"list_filter({values}, lambda x: NOT isnan(x))"
    # Beyond its bins a histogram has one more entry, for all other values: it is the last.
    often = f"map_entries(histogram_exact({_key_sql(column)}, {values}))[:len({values})]"
    shown = f"list_transform({often}, lambda x: ROW({shown_sql('x.key', column)}, x.value))"
    if column.group == "float":  # a histogram never counts NaN
        nan = shown_sql(f"CAST('nan' AS {column.type})", column)
        shown = f"list_append({shown}, ROW({nan}, count(*) FILTER (isnan({column.c}))))"
    return shown, _bins_sql(column)


def _bins_sql(column: ProfiledColumn) -> str:
    if not column.bins:
        return "CAST([] AS BIGINT[])"
    number, numbers = bin_of_sql(column.c, column), list(range(column.bins.count))
    return f"map_values(histogram_exact({number}, {numbers}))[:{column.bins.count}]"
