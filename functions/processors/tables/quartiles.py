"""Quartiles of numbers: exact where the numbers fit in memory, or have few different values."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from processors.tables.profiled_column import Number, ProfiledColumn, Query

MAX_SORTED_BYTES = 96 << 20
"""How much the numbers may take that one pass looks at: the database does not count this memory."""
MAX_WEIGHED_VALUES = 2_000_000
"""How many different values are sorted at most, when not all numbers are."""
_BYTES = {"TINYINT": 1, "UTINYINT": 1, "SMALLINT": 2, "USMALLINT": 2, "FLOAT": 4, "INTEGER": 4}
_BYTES |= {"UINTEGER": 4, "HUGEINT": 16, "UHUGEINT": 16, "DECIMAL": 16}


def find_quartiles(query: Query, view: str, columns: Sequence[ProfiledColumn]) -> None:
    """Find the quartiles of each column of numbers, interpolated linearly between two of them."""
    numbers = [
        column
        for column in columns
        if column.group in {"integer", "decimal", "float"} and column.finite_count
    ]
    sorted_whole = [column for column in numbers if _bytes(column) <= MAX_SORTED_BYTES]
    for some in _batches(sorted_whole):
        parts = ", ".join(_sorted_sql(column) for column in some)
        [found] = query(f"SELECT {parts} FROM {view}")  # noqa: S608  # our names
        for column, values in zip(some, found, strict=True):
            _take(column, values)
    for column in numbers:
        if column in sorted_whole:
            continue
        if column.counted and column.distinct <= MAX_WEIGHED_VALUES:
            [values] = query(_weighed_sql(column, view))
            _take(column, values)
        else:
            _estimate(query, view, column)


def _bytes(column: ProfiledColumn) -> int:
    return column.finite_count * _BYTES.get(column.base, 8)


def _batches(columns: Sequence[ProfiledColumn]) -> Iterator[list[ProfiledColumn]]:
    """Yield columns whose numbers fit beside each other."""
    batch: list[ProfiledColumn] = []
    size = 0
    for column in columns:
        if batch and (size + _bytes(column) > MAX_SORTED_BYTES or len(batch) == 50):
            yield batch
            batch, size = [], 0
        batch.append(column)
        size += _bytes(column)
    if batch:
        yield batch


def _ranks(column: ProfiledColumn) -> list[int]:
    """Return the ranks, from 0, of the numbers below and above each quartile."""
    last = column.finite_count - 1
    return [rank for n in (1, 2, 3) for rank in (last * n // 4, -(-last * n // 4))]


def _sorted_sql(column: ProfiledColumn) -> str:
    """Return SQL for a list of the numbers at the ranks."""
    at = ", ".join(repr((rank + 0.5) / column.finite_count) for rank in _ranks(column))
    number, finite = column.number(column.c), column.is_finite(column.c)
    sql = f"quantile_disc({number}, [{at}]) FILTER ({finite})"
    return f"CAST({sql} AS VARCHAR[])" if column.type == "FLOAT" else sql


def _weighed_sql(column: ProfiledColumn, view: str) -> str:
    """Return SQL for the numbers at the ranks, from how often each different one comes."""
    end = (
        "CAST(min(v) FILTER (upto > {}) AS VARCHAR)"
        if column.type == "FLOAT"
        else ("min(v) FILTER (upto > {})")
    )
    return (
        f"SELECT {', '.join(end.format(rank) for rank in _ranks(column))} FROM ("  # noqa: S608
        f"SELECT v, sum(n) OVER (ORDER BY v) AS upto FROM (SELECT {column.number(column.c)} AS v, "
        f"count(*) AS n FROM {view} WHERE {column.is_finite(column.c)} GROUP BY v))"
    )


def _estimate(query: Query, view: str, column: ProfiledColumn) -> None:
    number = f"CAST({column.number(column.c)} AS DOUBLE)"
    sql = f"approx_quantile({number}, [0.25, 0.5, 0.75]) FILTER ({column.is_finite(column.c)})"
    [(found,)] = query(f"SELECT {sql} FROM {view}")  # noqa: S608  # our names
    column.quartiles = tuple(found)
    column.quartiles_exact = False


def _take(column: ProfiledColumn, values: Sequence[Number | str]) -> None:
    """Put the quartiles in their place, from the numbers below and above each."""
    last = column.finite_count - 1
    numbers = [Fraction(str(value)) for value in values]
    first, second, third = (
        float(low + (high - low) * Fraction(last * n % 4, 4))
        for n, low, high in zip((1, 2, 3), numbers[::2], numbers[1::2], strict=True)
    )
    column.quartiles = (first, second, third)
