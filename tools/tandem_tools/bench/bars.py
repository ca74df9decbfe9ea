"""The bars of the benchmarks."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar, and what was measured against it."""

    figure: str
    bar: str
    """As it is written: `≤ 1.25`."""
    measured: str
    met: bool

    @staticmethod
    def at_most(figure: str, bound: float, measured: float) -> "Bar":
        """Return a bar that is met by a value up to the bound."""
        return Bar(
            figure=figure, bar=f"≤ {bound:g}", measured=f"{measured:.2f}", met=measured <= bound
        )

    @staticmethod
    def at_least(figure: str, bound: float, measured: float) -> "Bar":
        """Return a bar that is met by a value from the bound on."""
        return Bar(
            figure=figure, bar=f"≥ {bound:g}", measured=f"{measured:.2f}", met=measured >= bound
        )


def table(bars: Iterable[Bar]) -> str:
    """Return the bars as a Markdown table."""
    lines = ["| figure | bar | measured | |", "| --- | ---: | ---: | --- |"]
    for bar in bars:
        met = "met" if bar.met else "**missed**"
        lines.append(f"| {bar.figure} | {bar.bar} | {bar.measured} | {met} |")
    return "\n".join(lines)
