"""Mean and deviation of numbers in which the order of the rows does not show.

What is summed are integers: the numbers as so many parts of the greatest.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import frexp, ldexp, sqrt

from processors.tables.profiled_column import ProfiledColumn

_BITS = 92
"""Of the greatest number: 39 more than a double has, and 35 fewer than a sum holds."""
_FINEST = 1000
"""An exponent that a double holds, beside those bits."""


def sums_sql(column: ProfiledColumn, value: str, times: str) -> str:
    """Return SQL for three sums: of the numbers, of their distances from the least, of the squares.

    `times` is SQL for how often each value comes.
    """
    numbers, distances = _exponents(column)
    if column.group == "float":  # what a FILTER leaves out is cast all the same
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    number = f"CAST({value} AS DOUBLE) * {_power(-numbers)}"
    distance = _distance(column, value, distances)
    parts = (
        f"sum(CAST(({part}) * {_power(_BITS)} AS HUGEINT) * {times})"
        for part in (number, distance, f"({distance}) * ({distance})")
    )
    return f"[{', '.join(parts)}]"


def take_sums(column: ProfiledColumn, sums: Sequence[int]) -> None:
    """Keep the mean and the deviation that the sums of a column give."""
    count = column.finite_count
    numbers, distances = _exponents(column)
    unit = Fraction(2) ** -_BITS
    total, distance, square = (partial * unit / count for partial in sums)
    if not column.mean_exact:
        column.keep_mean(_double(total, numbers))
    if count > 1:
        variance = max(square - distance**2, Fraction()) * Fraction(count, count - 1)
        column.keep_stddev(_double(sqrt(variance), distances))


def _exponents(column: ProfiledColumn) -> tuple[int, int]:
    """Return the powers of two above all numbers, and above all distances from the least."""
    least, greatest = Fraction(column.least), Fraction(column.greatest)
    largest, span = max(abs(least), abs(greatest)), greatest - least
    if column.type == "FLOAT":  # its ends are its shortest decimals, which are not its values
        span += largest / 2**20
    return _exponent(largest), _exponent(span)


def _exponent(number: Fraction) -> int:
    if number > Fraction(2) ** 1023:
        return 1025
    return max(frexp(float(number))[1] + 1, -_FINEST)


def _power(exponent: int) -> str:
    return f"CAST('{ldexp(1.0, exponent)!r}' AS DOUBLE)"


def _double(number: Fraction | float, exponent: int) -> float:
    try:
        return float(Fraction(number) * Fraction(2) ** exponent)
    except OverflowError:
        return float("inf")


def _distance(column: ProfiledColumn, value: str, exponent: int) -> str:
    """Return SQL for how far a number is from the least, as a part of 2 to the power."""
    power = _power(-exponent)
    if column.base in {"HUGEINT", "UHUGEINT"} or column.group == "decimal":
        digits = 38 - (column.scale if column.group == "decimal" else 0)
        if Fraction(column.greatest) - Fraction(column.least) < 10**digits:
            return f"CAST({value} - CAST('{column.least}' AS {column.type}) AS DOUBLE) * {power}"
    elif column.group == "integer" and column.base != "BIGNUM":
        return f"CAST(CAST({value} AS HUGEINT) - {column.least} AS DOUBLE) * {power}"
    # Each by itself, since a double may not hold the difference.
    return f"(CAST({value} AS DOUBLE) * {power} - CAST('{column.least}' AS DOUBLE) * {power})"
