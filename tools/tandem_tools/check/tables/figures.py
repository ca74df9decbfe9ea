"""Figures of a table's columns, and where two readings of the table differ in them."""

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "boolean", "moment", "nested"]

FIGURES = ("kind", "nulls", "distinct", "min", "max", "mean", "sum")
TEXT_CHARACTERS = 100
"""As many of a text's characters are compared as a profile shows."""
_RELATIVE = 1e-9


@dataclass(frozen=True, slots=True)
class Column:
    """The figures of one column. Numbers as the nearest double, the others as text."""

    kind: Kind
    nulls: int
    distinct: int | None
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None
    sum: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a table."""

    rows: int
    columns: dict[str, Column]


def differing(one: Column, other: Column) -> tuple[str, ...]:
    """Return the names of the figures in which two readings of a column differ."""
    return tuple(name for name in FIGURES if not _equal(name, one, other))


def _equal(name: str, one: Column, other: Column) -> bool:
    a, b = getattr(one, name), getattr(other, name)
    if name == "kind":
        return a == b or {a, b} == {"text", "moment"}  # CSV and JSON have no dates
    if name in {"min", "max"} and isinstance(a, str) and isinstance(b, str):
        if "moment" in {one.kind, other.kind}:
            return moment(a) == moment(b)
        return a[:TEXT_CHARACTERS] == b[:TEXT_CHARACTERS]
    if name in {"mean", "sum"} and a is not None and b is not None:
        extremes = [abs(x) for x in (one.min, one.max) if isinstance(x, int | float)]
        largest = max(extremes, default=0.0)
        values = 1 if name == "mean" else max(one.distinct or 0, 1)
        return math.isclose(a, b, rel_tol=_RELATIVE, abs_tol=_RELATIVE * largest * values)
    return bool(a == b)


def moment(text: str) -> str:
    """Return a date or time as a profile writes it: no zeros at the end of its seconds."""
    text = text.replace(" ", "T").replace("+00:00", "Z")
    seconds, point, rest = text.partition(".")
    if not point:
        return text
    digits = rest.rstrip("Z")
    kept = digits.rstrip("0")
    return seconds + (f".{kept}" if kept else "") + rest[len(digits) :]
