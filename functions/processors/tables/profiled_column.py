"""A column that is profiled, and what is found of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, Protocol

from processors.tables.limits import TOP_VALUES
from processors.tables.plain_values import json_sql, kind_of

Group = Literal["integer", "decimal", "float", "text", "moment", "ordered", "other"]
"""What figures a type has: `ordered` has a least and a greatest value, and `other` has neither."""

STDDEV_DIGITS = 12
_INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_GROUPS: dict[str, Group] = dict.fromkeys(_INTEGERS | {"INTEGER", "UINTEGER", "BIGNUM"}, "integer")
_GROUPS |= {"DECIMAL": "decimal", "FLOAT": "float", "DOUBLE": "float"}
_GROUPS |= {"VARCHAR": "text", "ENUM": "text", "JSON": "text"}
_GROUPS |= dict.fromkeys(("DATE", "TIME", "TIME_NS", "TIMESTAMP", "TIMESTAMPTZ_NS"), "moment")
_GROUPS |= dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "moment")
_GROUPS |= {"TIMESTAMP WITH TIME ZONE": "moment"}
_GROUPS |= dict.fromkeys(("BOOLEAN", "UUID", "BIT"), "ordered")
_GROUPS |= {"TIME WITH TIME ZONE": "ordered"}

Number = int | float | Decimal


class Query(Protocol):
    """Runs one statement, and returns its rows."""

    def __call__(self, sql: str, parameters: Sequence[object] = (), /) -> list[tuple[Any, ...]]:
        """Return the rows."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Where the bins of a histogram begin and end: each holds its lower edge, and not its upper."""

    edges: list[int] | list[float] | list[str]

    @property
    def count(self) -> int:
        """How many bins there are."""
        return len(self.edges) - 1


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the texts of a column are, in characters."""

    least: int
    greatest: int
    mean: float


@dataclass(slots=True)
class ProfiledColumn:
    """A column under a name of ours, and what is found of it. What its type has not stays None."""

    c: str
    type: str

    count: int = 0
    distinct: int = 0
    """An estimate until the column is counted."""
    counted: bool = False
    """Whether its values were counted one by one, so that `distinct` and `top` are exact."""
    least: Any = None
    greatest: Any = None
    mean: float | None = None
    mean_exact: bool = False
    """Whether it is of an exact sum, so that no order of the rows shows in it."""
    stddev: float | None = None
    non_finite: int | None = None
    lengths: Lengths | None = None
    blanks: int | None = None
    key_bytes: float = 0.0
    """Mean size of what tells the values apart."""
    quartiles: tuple[float, float, float] | None = None
    quartiles_exact: bool = True
    top: list[tuple[str, int]] = field(default_factory=list)
    bins: Bins | None = None
    bin_counts: list[int] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The type without what is in parentheses."""
        whole = self.type.endswith(("]", "ZONE"))
        return self.type if whole else self.type.partition("(")[0]

    @property
    def scale(self) -> int:
        """How many decimals numbers of a decimal type have, else 0."""
        return int(self.type.rstrip(")").partition(",")[2] or 0)

    @property
    def group(self) -> Group:
        """What figures it has."""
        return _GROUPS.get(self.base, "other")

    def number(self, value: str) -> str:
        """Return SQL for a value that the database can sort and compare as a number."""
        return f"CAST({value} AS DOUBLE)" if self.type == "BIGNUM" else value

    def is_finite(self, value: str) -> str:
        """Return SQL for whether a value is there, and is no NaN and not infinite."""
        there = f"{value} IS NOT NULL"
        return f"{there} AND isfinite({value})" if self.group == "float" else there

    @property
    def finite_count(self) -> int:
        """How many values are there, and are no NaN and not infinite."""
        return self.count - (self.non_finite or 0)

    @property
    def is_number(self) -> bool:
        """Whether it has a mean and quartiles."""
        return self.group in {"integer", "decimal", "float"}

    @property
    def ranks(self) -> list[int]:
        """The ranks, from 0, of the numbers below and above each quartile."""
        last = self.finite_count - 1
        return [rank for n in (1, 2, 3) for rank in (last * n // 4, -(-last * n // 4))]

    @property
    def key(self) -> str:
        """SQL for what tells the values apart."""
        if self.group == "float":
            return f"{self.c} + 0"  # makes one zero of both
        if kind_of(self.type) == "nested":
            return f"CASE WHEN {self.c} IS NOT NULL THEN {json_sql(self.c, self.type)} END"
        if self.base in {"ENUM", "INTERVAL", "NULL"}:
            return f"CAST({self.c} AS VARCHAR)"
        return self.c

    @property
    def key_type(self) -> str:
        """The type of what tells the values apart."""
        as_text = kind_of(self.type) == "nested" or self.base in {"ENUM", "INTERVAL", "NULL"}
        return "VARCHAR" if as_text else self.type

    def take_top(self, counts: Iterable[tuple[str, int]]) -> None:
        """Keep the most frequent of these values, and of those of one count the least."""
        ranked = sorted(counts, key=lambda entry: (-entry[1], self._order(entry[0])))
        self.top = ranked[:TOP_VALUES]

    def _order(self, value: str) -> tuple[bool, Decimal | str]:
        """Return what values are sorted by: NaN comes last, as in the database."""
        if not self.is_number:
            return False, value
        return (True, Decimal(0)) if value == "nan" else (False, Decimal(value))

    def take_bins(self, counts: Mapping[int | None, int]) -> None:
        """Keep how many values each bin has."""
        if self.bins:
            self.bin_counts = [counts[number] for number in range(self.bins.count)]

    def keep_mean(self, mean: float) -> None:
        """Keep a mean, which rounding must not take beyond the values that it is of."""
        self.mean = float(min(max(mean, self.least), self.greatest))

    def keep_stddev(self, stddev: float) -> None:
        """Keep a deviation."""
        self.stddev = float(f"{stddev:.{STDDEV_DIGITS}g}")

    def take_quartiles(self, numbers: Sequence[str]) -> None:
        """Interpolate the quartiles between the numbers at the ranks."""
        last = self.finite_count - 1
        exact = [Fraction(number) for number in numbers]
        first, second, third = (
            float(below + (above - below) * Fraction(last * n % 4, 4))
            for n, below, above in zip((1, 2, 3), exact[::2], exact[1::2], strict=True)
        )
        self.quartiles = (first, second, third)
