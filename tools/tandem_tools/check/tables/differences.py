"""Differences between the processors and pandas, as differences.csv has them."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

TABLE = Path(__file__).with_name("differences.csv")
NAMES = "a column without a name is column0 and a twin a_1 or A_1, not Unnamed: 0, a.1 or A"
"""The reason of a difference in the names of a table's columns."""
_HEADER = ("data set", "column", "differs", "reason")


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A column whose figures differ, by which of them, and why."""

    data_set: str
    column: str
    differs: str
    reason: str
    """Empty if there is none."""

    def is_of_any(self, data_sets: Iterable[str]) -> bool:
        """Return whether one of the data sets is meant. `data_set` may be a pattern."""
        return any(fnmatchcase(name, self.data_set) for name in data_sets)


def read_table(path: Path = TABLE) -> list[Difference]:
    """Return the differences that are written down."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Difference(*row) for row in list(csv.reader(file))[1:]]


def write_table(differences: Iterable[Difference], path: Path = TABLE) -> None:
    """Write differences down: one line for the names of all a package's tables."""
    lines = {_for_package(difference) for difference in differences}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(astuple(line) for line in sorted(lines))


def unexplained(found: Sequence[Difference], written: Sequence[Difference]) -> list[str]:
    """Return a line on each difference that is not written down, or has no reason.

    A line that is written down and no longer found is stale, and is returned too.
    """
    lines = [
        f"{difference.data_set}, {difference.column!r}: {difference.differs} differ"
        + (
            f"; written down with another reason than {difference.reason!r}"
            if difference.reason
            else ""
        )
        for difference in found
        if not difference.reason or not any(_is_for(two, difference) for two in written)
    ]
    return lines + [
        f"{two.data_set}, {two.column!r}: {two.differs} no longer differ for {two.reason!r}"
        for two in written
        if not any(_is_for(two, difference) for difference in found)
    ]


def _is_for(written: Difference, found: Difference) -> bool:
    """Return whether a line is about a difference."""
    return written.is_of_any([found.data_set]) and (
        (written.column, written.differs, written.reason)
        == (found.column, found.differs, found.reason)
    )


def _for_package(one: Difference) -> Difference:
    if one.reason != NAMES:
        return one
    return replace(one, data_set=f"{one.data_set.partition('/')[0]}/*")
