"""The values that are certain to be a column's most frequent, where its values are not counted."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import batched

from processors.tables.counting import bin_of_sql, shown_sql
from processors.tables.profile_bounds import CERTAIN_SHARE, TOP_VALUES
from processors.tables.profiled_column import ProfiledColumn, Query

_COLUMNS_AT_ONCE = 50


def find_frequent(query: Query, view: str, columns: Sequence[ProfiledColumn], rows: int) -> None:
    """Find the frequent values of columns that are not counted, and how many each bin has.

    Both are counted exactly: one pass monitors the values that seem frequent, the other counts
    them. A value that makes up more than one row of CERTAIN_SHARE cannot slip through.
    """
    for some in batched(columns, _COLUMNS_AT_ONCE, strict=False):
        monitored = ", ".join(
            f"approx_top_k({column.key}, {CERTAIN_SHARE}) AS {column.c}" for column in some
        )
        query(f"CREATE OR REPLACE TEMP TABLE monitored AS SELECT {monitored} FROM {view}")  # noqa: S608
        for column in some:
            # In a table of its own it is known to be small: a join holds it, not the other side.
            query(
                f"CREATE OR REPLACE TEMP TABLE monitored_{column.c} AS "  # noqa: S608  # our names
                f"SELECT unnest({column.c}) AS v FROM monitored"
            )
        keys = ", ".join(f"{column.key} AS {column.c}" for column in some)
        counts = " UNION ALL ".join(
            _counts_sql(n, column, rows // CERTAIN_SHARE) for n, column in enumerate(some)
        )
        found = query(f"WITH seen AS (SELECT {keys} FROM {view}) {counts}")  # noqa: S608
        for n, column in enumerate(some):
            counted = [entry for i, *entry in found if i == n]
            column.take_top((value, count) for _, value, count in counted if value is not None)
            bins: dict[int | None, int] = defaultdict(int)
            bins |= {number: count for number, value, count in counted if value is None}
            column.take_bins(bins)


def _counts_sql(number: int, column: ProfiledColumn, more_than: int) -> str:
    """Return SQL for rows of a frequent value and its count, and of a bin and its count."""
    sql = (
        f"(SELECT {number}, NULL, {shown_sql('v', column)}, count(*) AS n "  # noqa: S608  # our names
        f"FROM (SELECT {column.c} AS v FROM seen) SEMI JOIN monitored_{column.c} USING (v) "
        f"GROUP BY v HAVING n > {more_than} ORDER BY n DESC, v LIMIT {TOP_VALUES})"
    )
    if column.bins:
        sql += (
            f" UNION ALL SELECT {number}, {bin_of_sql(column.c, column)} AS bin, NULL, count(*) "  # noqa: S608
            "FROM seen GROUP BY bin"
        )
    return sql
