"""Why the processors and pandas differ in a column.

A reason is no excuse: it holds where pandas, told to read the column as the reason says, gives the
very figures of the processors.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from tandem_tools.check.tables import reference
from tandem_tools.check.tables.figures import Column, Kind, differing

PANDAS_NULLS = frozenset({
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """How pandas has to read a column to give the figures of the processors."""

    kind: Kind
    """What pandas takes the column for."""
    values: re.Pattern[str]
    """What at least one of the column's values is, or every one."""
    read: Callable[[pd.Series], pd.Series]
    """Makes the column from its text, in which only empty fields are null."""
    every: bool = False
    """Whether all values have to be so."""


def _as_it_is(values: pd.Series) -> pd.Series:
    return values


def _truth(values: pd.Series) -> pd.Series:
    return values.str.lower().map({"yes": True, "no": False, "t": True, "f": False})


def _one_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in words))


REASONS = {
    "words such as NA are text among other text, and pandas takes them for null": Reason(
        "text", _one_of(PANDAS_NULLS), _as_it_is
    ),
    "NA alone says nothing of a column's type and is text, and pandas takes it for null": Reason(
        "number", _one_of(PANDAS_NULLS), _as_it_is, every=True
    ),
    "a number with zeros before it is a code and stays text, and pandas drops the zeros": Reason(
        "number", re.compile(r"[+-]?0[0-9].*"), _as_it_is
    ),
    "1E5 may be a code and stays text, and pandas reads a number": Reason(
        "number", re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+"), _as_it_is
    ),
    "yes and no, or t and f, are booleans, and text for pandas": Reason(
        "text", re.compile(r"yes|no|t|f", re.IGNORECASE), _truth
    ),
}


def same_names(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Return whether names are the same but for how columns without one, and twins, are called."""
    return len(ours) == len(theirs) and all(
        value == other or _same_name(value, other, number, theirs[:number])
        for number, (value, other) in enumerate(zip(ours, theirs, strict=True))
    )


def _same_name(ours: str, theirs: str, number: int, before: Sequence[str]) -> bool:
    if theirs == f"Unnamed: {number}":
        return ours == f"column{number}"
    stem = re.sub(r"_[0-9]+$", "", ours)
    twin = stem.lower() in (name.lower() for name in before)
    return twin and theirs in {stem, ours[: len(stem)] + ours[len(stem) :].replace("_", ".")}


def reason_for(ours: Column, theirs: Column, values: pd.Series) -> str:
    """Return the reason that explains a column. Empty if none does.

    Args:
        ours: the figures that the processors give.
        theirs: those of pandas, when it reads the column by itself.
        values: the column as text, in which only empty fields are null.
    """
    present = values.dropna().str
    for name, reason in REASONS.items():
        fit = present.fullmatch(reason.values)
        if (
            reason.kind == theirs.kind
            and (fit.all() if reason.every else fit.any())
            and not differing(ours, reference.column(reason.read(values)))
        ):
            return name
    return ""
