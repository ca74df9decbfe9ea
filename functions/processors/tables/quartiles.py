"""Quartiles of numbers that were not found while the values were counted."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, batched

from processors.tables.bins import edge_sql
from processors.tables.profiled_column import ProfiledColumn, Query

MAX_SORTED_BYTES = 96 << 20
"""How much the numbers may take that one pass looks at: the database does not count this memory."""
_COLUMNS_AT_ONCE = 50
_BYTES = {"TINYINT": 1, "UTINYINT": 1, "SMALLINT": 2, "USMALLINT": 2, "FLOAT": 4, "INTEGER": 4}
_BYTES |= {"UINTEGER": 4, "HUGEINT": 16, "UHUGEINT": 16, "DECIMAL": 16}


@dataclass(frozen=True, slots=True)
class _Span:
    """Bins that hold the numbers on both sides of a quartile, from the first to the last."""

    first: int
    last: int
    before: int
    """How many numbers are below it."""
    count: int
    """How many it holds."""


def find_quartiles(query: Query, view: str, columns: Sequence[ProfiledColumn]) -> None:
    """Find the quartiles that are missing: exactly where what is around them fits in memory."""
    missing = [
        column
        for column in columns
        if column.is_number and column.finite_count and not column.quartiles
    ]
    for some in _batches(
        [quartile for quartile in missing if _bytes(quartile) <= MAX_SORTED_BYTES]
    ):
        parts = [part for column in some for part in _sorted_sql(column)]
        [found] = query(f"SELECT {', '.join(parts)} FROM {view}")  # noqa: S608  # our names
        numbers = iter([number for numbers in found for number in numbers])
        for column in some:
            column.take_quartiles([str(next(numbers)) for _ in column.ranks])
    estimated = [column for column in missing if not column.quartiles]
    for few in batched(estimated, _COLUMNS_AT_ONCE, strict=False):
        estimates = ", ".join(
            f"approx_quantile(CAST({column.number(column.c)} AS DOUBLE), [0.25, 0.5, 0.75]) "
            f"FILTER ({column.is_finite(column.c)})"
            for column in few
        )
        [found] = query(f"SELECT {estimates} FROM {view}")  # noqa: S608  # our names
        for column, (q25, median, q75) in zip(few, found, strict=True):
            column.quartiles, column.quartiles_exact = (q25, median, q75), False


def _batches(columns: Sequence[ProfiledColumn]) -> Iterator[list[ProfiledColumn]]:
    """Yield columns whose numbers fit beside each other."""
    batch: list[ProfiledColumn] = []
    size = 0
    for column in columns:
        needed = _bytes(column)
        if batch and (size + needed > MAX_SORTED_BYTES or len(batch) == _COLUMNS_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(column)
        size += needed
    if batch:
        yield batch


def _bytes(column: ProfiledColumn) -> int:
    """Return the memory that the numbers around the quartiles take."""
    return sum(span.count for span in _spans(column)) * _BYTES.get(column.base, 8)


def _spans(column: ProfiledColumn) -> dict[_Span, list[int]]:
    """Return what is around the quartiles, and the ranks in each."""
    counts = column.bin_counts or [column.finite_count]
    ends = list(accumulate(counts))
    spans: dict[_Span, list[int]] = {}
    for below, above in batched(column.ranks, 2, strict=True):
        first, last = bisect_right(ends, below), bisect_right(ends, above)
        before = ends[first] - counts[first]
        spans.setdefault(_Span(first, last, before, ends[last] - before), []).extend((below, above))
    return spans


def _sorted_sql(column: ProfiledColumn) -> Iterator[str]:
    """Yield SQL for the numbers at the ranks in each span."""
    number = column.number(column.c)
    kind = "DOUBLE" if column.type == "BIGNUM" else column.type
    for span, ranks in _spans(column).items():
        at = ", ".join(repr((rank - span.before + 0.5) / span.count) for rank in ranks)
        within = column.is_finite(column.c)
        if column.bins and span.first > 0:
            within += f" AND {number} >= {edge_sql(column.bins, span.first, kind)}"
        if column.bins and span.last < column.bins.count - 1:
            within += f" AND {number} < {edge_sql(column.bins, span.last + 1, kind)}"
        yield f"CAST(quantile_disc({number}, [{at}]) FILTER ({within}) AS VARCHAR[])"
