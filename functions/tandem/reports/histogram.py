"""Distributions of durations: exact by bucket, and sketched for percentiles."""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil, log

BOUNDS_MS = (
    *(5, 10, 25, 50, 100, 250, 500),
    *(1_000, 2_500, 5_000, 10_000, 30_000),
    *(60_000, 300_000, 900_000, 3_600_000),
)
"""The buckets' upper bounds, each within its bucket. Above the last there is one more."""

RELATIVE_ERROR = 0.01
"""How far a sketched percentile is from the true one at most, as a part of it."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = log(_GAMMA)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many durations fell into each bucket, and their sum: whole milliseconds, so exact."""

    buckets: tuple[int, ...] = (0,) * (len(BOUNDS_MS) + 1)
    """Not cumulative. The last one is of what is above all bounds."""
    total_ms: int = 0

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.buckets)

    def __add__(self, other: "Histogram") -> "Histogram":
        """Return both together."""
        pairs = zip(self.buckets, other.buckets, strict=True)
        return Histogram(tuple(a + b for a, b in pairs), self.total_ms + other.total_ms)

    def __sub__(self, other: "Histogram") -> "Histogram":
        """Return what is left of this one."""
        pairs = zip(self.buckets, other.buckets, strict=True)
        return Histogram(tuple(a - b for a, b in pairs), self.total_ms - other.total_ms)


class HistogramTally:
    """A histogram while it is counted."""

    __slots__ = ("buckets", "total_ms")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_MS) + 1)
        self.total_ms = 0

    def add(self, duration_ms: int) -> None:
        """Count one duration."""
        self.buckets[bisect_left(BOUNDS_MS, duration_ms)] += 1
        self.total_ms += duration_ms

    def include(self, other: "HistogramTally") -> None:
        """Count what another counted."""
        pairs = zip(self.buckets, other.buckets, strict=True)
        self.buckets = [mine + more for mine, more in pairs]
        self.total_ms += other.total_ms

    def frozen(self) -> Histogram:
        """Return what was counted."""
        return Histogram(tuple(self.buckets), self.total_ms)


class Sketch:
    """Percentiles of durations in memory that does not grow with their number.

    Durations are counted in buckets whose bounds grow by a constant factor, so that each stands
    for its bucket within `RELATIVE_ERROR`: DDSketch (Masson, Rim, Lee, 2019,
    https://arxiv.org/abs/1908.10693). From 1 ms to a month there are about 1,100 buckets.
    """

    __slots__ = ("_buckets", "_count")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0

    def add(self, duration_ms: int) -> None:
        """Count one duration. What is below a millisecond counts as none."""
        index = ceil(log(duration_ms) / _LOG_GAMMA) if duration_ms >= 1 else -1
        self._buckets[index] = self._buckets.get(index, 0) + 1
        self._count += 1

    def include(self, other: "Sketch") -> None:
        """Count what another sketch counted."""
        for index, count in other._buckets.items():  # noqa: SLF001 - of its own class
            self._buckets[index] = self._buckets.get(index, 0) + count
        self._count += other._count  # noqa: SLF001

    def percentile_ms(self, percent: int) -> float | None:
        """Return the nearest-rank percentile in milliseconds. None when nothing was counted."""
        rank = -(-self._count * percent // 100)
        seen = 0
        for index in sorted(self._buckets):
            seen += self._buckets[index]
            if seen >= rank:
                return 0.0 if index < 0 else 2 * _GAMMA**index / (_GAMMA + 1)
        return None
