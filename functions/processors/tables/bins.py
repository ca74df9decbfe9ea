"""The bins of a histogram: edges at round numbers, or where units of time begin."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext

from processors.tables.limits import MAX_BINS
from processors.tables.profiled_column import Bins, Number

_LARGEST = Decimal("1e300")
"""Beyond it an edge may be no double."""
_MOMENT = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?[T ]?(?:(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?)?Z?"
)
_DAY = 86_400_000_000
"""In microseconds, as all steps of time are."""
_STEPS = (
    *(m * 10**k for k in range(6) for m in (1, 2, 5)),
    *(n * 1_000_000 for n in (1, 2, 5, 10, 15, 30)),
    *(n * 60_000_000 for n in (1, 2, 5, 10, 15, 30)),
    *(n * 3_600_000_000 for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, *(12 * m * 10**k for k in range(4) for m in (1, 2, 5)))
_BEGIN = datetime(1, 1, 1, tzinfo=UTC)  # a Monday
_END_OF_TIME = 3_652_059 * _DAY  # the end of the year 9999
_LEAST_WIDTH = -323
"""As a power of ten. Doubles closest to 0 are 4.9e-324 apart."""
_INSTANTS = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}


def number_bins(least: Number, greatest: Number, decimals: int | None, digits: int) -> Bins | None:
    """Return at most MAX_BINS bins of one width, which is 1, 2 or 5 times a power of ten.

    Numbers with so many decimals get no edges with more. Those of a floating-point type
    (`decimals` None) no edges that so many digits cannot tell apart.
    """
    with localcontext(prec=400):
        low, high = _exact(least), _exact(greatest)
        if max(abs(low), abs(high)) > _LARGEST:
            return None
        finest = -decimals if decimals is not None else _finest(low, high, digits)
        if decimals is None:
            finest = max(finest, _LEAST_WIDTH)
        power = max(finest, ((high - low) / MAX_BINS).adjusted()) if high > low else finest
        for factor in (1, 2, 5, 10, 20):
            step = Decimal(factor).scaleb(power)
            first, last = (int((end / step).to_integral_value(ROUND_FLOOR)) for end in (low, high))
            if last - first < MAX_BINS:
                break
        edges = [n * step for n in range(first, last + 2)]
    return Bins([int(edge) for edge in edges] if decimals == 0 else [float(edge) for edge in edges])


def _exact(number: Number) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def _finest(low: Decimal, high: Decimal, digits: int) -> int:
    """Return the least power of ten that is a width for floating-point numbers."""
    largest = max(abs(low), abs(high))
    if not largest:
        return 0
    told_apart = largest.adjusted() - digits
    return told_apart if high > low else max(told_apart, min(0, largest.adjusted()))


def moment_bins(least: str, greatest: str, base: str) -> Bins | None:
    """Return at most MAX_BINS bins that begin where units of time do.

    None where a moment is infinite, or its year has not four digits.
    """
    low, high = _microseconds(least), _microseconds(greatest)
    if low is None or high is None:
        return None
    smallest = _DAY if base == "DATE" else 1
    for step in _STEPS:
        if step >= smallest and high // step - low // step < MAX_BINS:
            edges = [n * step for n in range(low // step, high // step + 2)]
            return Bins([_written(edge, base) for edge in edges])
    first, last = (_months(edge) for edge in (low, high))
    for months in _MONTHS:
        if last // months - first // months < MAX_BINS:
            numbers = [n * months for n in range(first // months, last // months + 2)]
            return Bins([_month_written(max(12, n), base) for n in numbers])
    return None


def _microseconds(moment: str) -> int | None:
    """Return a moment as the time from the start of the year 1, or None where that has no day."""
    found = _MOMENT.fullmatch(moment)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    days = (datetime(year, month, day, tzinfo=UTC) - _BEGIN).days if year else 0
    fraction = int((found[7] or "").ljust(6, "0"))
    return days * _DAY + (hour * 3600 + minute * 60 + second) * 1_000_000 + fraction


def _months(microseconds: int) -> int:
    """Return the month that a moment is in, from the start of the year 0."""
    moment = _BEGIN + timedelta(microseconds=microseconds)
    return moment.year * 12 + moment.month - 1


def _written(microseconds: int, base: str) -> str:
    """Return a moment in ISO 8601."""
    if base.startswith("TIME") and not base.startswith("TIMESTAMP"):
        seconds, fraction = divmod(microseconds, 1_000_000)
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return text + (f".{fraction:06}".rstrip("0") if fraction else "")
    if microseconds >= _END_OF_TIME:
        return _month_written(120_000, base)
    moment = _BEGIN + timedelta(microseconds=microseconds)
    if base == "DATE":
        return moment.date().isoformat()
    text = moment.replace(tzinfo=None).isoformat()
    return text + ("Z" if base in _INSTANTS else "")


def _month_written(months: int, base: str) -> str:
    text = f"{months // 12:04}-{months % 12 + 1:02}-01"
    if base == "DATE":
        return text
    return text + "T00:00:00" + ("Z" if base in _INSTANTS else "")


def bin_sql(c: str, bins: Bins, column_type: str) -> str:
    """Return SQL for the number of the bin that a value is in, from 0."""
    edges = [edge_sql(bins, number, column_type) for number in range(len(bins.edges))]
    return _bin_sql(c, edges, 0, bins.count)


def edge_sql(bins: Bins, number: int, column_type: str) -> str:
    """Return SQL for an edge, which only one between two bins is sure to have."""
    return f"CAST('{bins.edges[number]}' AS {column_type})"


def _bin_sql(c: str, edges: Sequence[str], first: int, end: int) -> str:
    """Return SQL that halves the bins from the first to before the end, until one is left."""
    if end - first == 1:
        return str(first)
    middle = (first + end) // 2
    below, above = _bin_sql(c, edges, first, middle), _bin_sql(c, edges, middle, end)
    return f"CASE WHEN {c} < {edges[middle]} THEN {below} ELSE {above} END"
