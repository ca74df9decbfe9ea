"""From values to places, and to the words beside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = 4
_MOST_DECADES = 6
_UNITS = "kMGTP"


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand, as a part of the height from 0 at the bottom to 1 at the top."""

    ticks: tuple[tuple[float, str], ...]
    """Values with a line and a word, the lowest first. The first and the last are the bounds."""
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where a value stands. One beyond the bounds stands on them."""
        low, high = (self._at(self.ticks[end][0]) for end in (0, -1))
        return min(max((self._at(value) - low) / (high - low), 0), 1)

    def _at(self, value: float) -> float:
        return math.log10(max(value, self.ticks[0][0])) if self.logarithmic else value


def of_counts(values: Sequence[int]) -> Scale:
    """Return a scale from 0 over the most of these, with whole steps of 1, 2 or 5 in its decade."""
    most = max(values, default=0) or 1
    step = 1
    while step * _STEPS < most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return Scale(tuple((tick, number(tick)) for tick in range(0, most + step, step)))


def of_durations(seconds: Sequence[float]) -> Scale:
    """Return a scale over whole decades around these durations, from a millisecond on."""
    exponents = [math.log10(max(step, 0.001)) for step in seconds] or [-3.0]
    low = math.floor(round(min(exponents), 6))
    high = max(math.ceil(round(max(exponents), 6)), low + 1)
    every = -(-(high - low) // _MOST_DECADES)
    high += (low - high) % every
    return Scale(
        tuple((10.0**power, _decade(power)) for power in range(low, high + 1, every)),
        logarithmic=True,
    )


def _decade(power: int) -> str:
    return f"{number(10**power)} s" if power >= 0 else f"{10 ** (power + 3)} ms"


def number(value: float) -> str:
    """Return a count in a few characters: 9,999, 10k, 1.2M."""
    if value < 10_000:
        return f"{value:,.0f}"
    for unit in _UNITS:
        value /= 1000
        if round(value, 1) < 1000 or unit == _UNITS[-1]:
            return f"{value:,.1f}".removesuffix(".0") + unit
    raise AssertionError


def duration(seconds: float) -> str:
    """Return a duration in a few characters: 5 ms, 1.5 s, 12 min, 3 h."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    for unit, length in (("s", 1), ("min", 60)):
        if seconds / length < 99.5:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / 3600:,.1f}".removesuffix(".0") + " h"
