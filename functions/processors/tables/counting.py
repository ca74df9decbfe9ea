"""Different values of columns, counted one by one: `distinct`, `top`, histograms, quartiles.

One pass groups the table by each of several columns. The database spills what memory does not hold.
A column of very many different values takes several passes, each for a share of its values.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from processors.tables.bins import bin_sql
from processors.tables.database import OutOfMemory
from processors.tables.limits import MAX_BINS, TEXT_CHARACTERS, TOP_VALUES
from processors.tables.plain_values import kind_of, text_sql
from processors.tables.profiled_column import ProfiledColumn, Query
from processors.tables.sums import sums_sql, take_sums

MAX_COUNTED_BYTES = 400 << 20
"""How much the groups of one pass may take, by estimate."""
MAX_SCANNED_CELLS = 1_000_000_000
"""How many values all passes may read together, so that a large table is profiled in its time."""
MAX_WEIGHED_VALUES = 200_000
"""How many different numbers are sorted, to find the quartiles from how often each one comes."""
_COLUMNS_AT_ONCE = 50
_GROUP_BYTES = 32
_TEXT_GROUP_BYTES = 80
_ESTIMATE_ERROR = 1.15


@dataclass(frozen=True, slots=True)
class _Share:
    """A part of a column's different values, of so many."""

    column: ProfiledColumn
    part: int = 0
    parts: int = 1


class _Counts(NamedTuple):
    """What the different values say that are in one bin, or in none."""

    bin: int | None
    distinct: int
    values: int | None
    often: Sequence[dict[str, Any]] | None
    """The values of more than one row that are the most frequent, with how many rows have them."""
    once: Sequence[str] | None
    """The first of the values that one row has."""
    ranked: Sequence[str | None]
    """The numbers at the ranks of the quartiles, where they are in this bin or above it."""
    sums: Sequence[int | None]
    """That give mean and deviation."""


def count_values(query: Query, view: str, columns: Sequence[ProfiledColumn], rows: int) -> None:
    """Count the values of each column whose groups fit, in as many passes as the table allows.

    A column that is not counted keeps the estimate of how many different values it has.
    """
    found: dict[str, list[list[_Counts]]] = defaultdict(list)
    for shares in _passes(columns, rows):
        for share, counts in _counted(query, view, shares):
            found[share.column.c].append(counts)
    for column in columns:
        if len(found[column.c]) == _parts(column):
            _take(column, [count for counts in found[column.c] for count in counts])


def _passes(columns: Sequence[ProfiledColumn], rows: int) -> list[list[_Share]]:
    """Return what each pass counts, first the columns of the fewest different values."""
    allowed = max(1, MAX_SCANNED_CELLS // max(1, rows * len(columns)))
    passes: list[list[_Share]] = []
    size = 0.0
    for column in sorted(columns, key=_needed_bytes):
        parts, needed = _parts(column), _needed_bytes(column)
        whole = _Share(column)
        if passes and size + needed <= MAX_COUNTED_BYTES and len(passes[-1]) < _COLUMNS_AT_ONCE:
            passes[-1].append(whole)
            size += needed
            continue
        new = [[_Share(column, part, parts)] for part in range(parts)]
        if len(passes) + len(new) > allowed:
            break
        passes += new
        size = needed
    return passes


def _parts(column: ProfiledColumn) -> int:
    return int(_needed_bytes(column) // MAX_COUNTED_BYTES) + 1


def _needed_bytes(column: ProfiledColumn) -> float:
    texts = column.key_type == "VARCHAR" or kind_of(column.key_type) in {"blob", "text"}
    each = column.key_bytes + (_TEXT_GROUP_BYTES if texts else _GROUP_BYTES)
    return column.distinct * _ESTIMATE_ERROR * each


def _counted(
    query: Query, view: str, shares: Sequence[_Share]
) -> list[tuple[_Share, list[_Counts]]]:
    """Count shares in one pass, or in more where their groups do not fit beside each other.

    A share that does not fit by itself is left out.
    """
    values = ", ".join(f"{share.column.key} AS {share.column.c}" for share in shares)
    # The database reads the table once, and hands each row to all that counts one of its values.
    counts = " UNION ALL ".join(_counts_sql(n, share) for n, share in enumerate(shares))
    try:
        found = query(f"WITH seen AS (SELECT {values} FROM {view}) {counts}")  # noqa: S608
    except OutOfMemory:
        if len(shares) == 1:
            return []
        middle = len(shares) // 2
        return _counted(query, view, shares[:middle]) + _counted(query, view, shares[middle:])
    return [
        (share, [_Counts(*counts) for number, *counts in found if number == n])
        for n, share in enumerate(shares)
    ]


def _counts_sql(number: int, share: _Share) -> str:
    """Return SQL for the counts of a column's values, by bin.

    Where there are many different values, most have one row: these are ordered by value alone,
    which is a fraction of the work.
    """
    column = share.column
    where = f"WHERE hash({column.c}) % {share.parts} = {share.part} " if share.parts > 1 else ""
    groups = f"SELECT {column.c} AS v, count(*) AS n FROM seen {where}GROUP BY v"  # noqa: S608
    ranked, sums = "CAST([] AS VARCHAR[])", "CAST([] AS HUGEINT[])"
    if _is_weighed(share):
        finite = column.is_finite("v")
        weight = f"sum(CASE WHEN {finite} THEN n ELSE 0 END)"
        groups = f"SELECT v, n, {weight} OVER (ORDER BY v) AS upto FROM ({groups})"  # noqa: S608
        at_ranks = [f"min(v) FILTER ({finite} AND upto > {rank})" for rank in column.ranks]
        ranked = f"[{', '.join(text_sql(number, column.type) for number in at_ranks)}]"
        sums = sums_sql(column, "v", "n")
    often = f"min({{'less': -n, 'v': v}}, {TOP_VALUES}) FILTER (v IS NOT NULL AND n > 1)"
    of_often = f"lambda x: {{'v': {shown_sql('x.v', column)}, 'n': -x.less}}"
    once = f"min(v, {TOP_VALUES}) FILTER (v IS NOT NULL AND n = 1)"
    return (
        f"SELECT {number}, {bin_of_sql('v', column)} AS bin, count(v), "  # noqa: S608  # our names
        f"CAST(sum(n) FILTER (v IS NOT NULL) AS BIGINT), list_transform({often}, {of_often}), "
        f"list_transform({once}, lambda x: {shown_sql('x', column)}), {ranked}, {sums} "
        f"FROM ({groups}) GROUP BY bin"
    )


def _is_weighed(share: _Share) -> bool:
    column = share.column
    few = share.parts == 1 and column.distinct <= MAX_WEIGHED_VALUES
    return few and column.is_number and column.finite_count > 0


def shown_sql(value: str, column: ProfiledColumn) -> str:
    """Return SQL for how a value of the column's key is shown."""
    return f"left({text_sql(value, column.key_type)}, {TEXT_CHARACTERS})"


def bin_of_sql(value: str, column: ProfiledColumn) -> str:
    """Return SQL for the number of the bin that a value is in, or for null."""
    if not column.bins:
        return "CAST(NULL AS INTEGER)"
    kind = "DOUBLE" if column.type == "BIGNUM" else column.type
    number = bin_sql(column.number(value), column.bins, kind)
    return f"CASE WHEN {column.is_finite(value)} THEN {number} END"


def _take(column: ProfiledColumn, counts: Sequence[_Counts]) -> None:
    column.counted = True
    column.distinct = sum(count.distinct for count in counts)
    often = [(value["v"], value["n"]) for count in counts for value in count.often or ()]
    once = [(value, 1) for count in counts for value in count.once or ()]
    column.take_top(often + once)
    values: dict[int | None, int] = defaultdict(int)
    for count in counts:
        values[count.bin] += count.values or 0
    column.take_bins(values)
    in_bins = sorted(counts, key=lambda one: MAX_BINS if one.bin is None else one.bin)
    ranked = [
        next((number for number in numbers if number is not None), None)
        for numbers in zip(*(counts.ranked for counts in in_bins), strict=True)
    ]
    if ranked:
        column.take_quartiles([number for number in ranked if number is not None])
    sums = [[number for number in count.sums if number is not None] for count in counts]
    if totals := [sum(numbers) for numbers in zip(*filter(None, sums), strict=True)]:
        take_sums(column, totals)
