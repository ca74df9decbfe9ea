"""A table given to the processors and to pandas, and where they differ."""

import logging
import os
from dataclasses import dataclass, field, replace

from tandem.processing import Permanent
from tandem_tools.check.tables import processed, reference
from tandem_tools.check.tables.datasets import DataSet
from tandem_tools.check.tables.differences import NAMES, Difference
from tandem_tools.check.tables.figures import Figures, differing
from tandem_tools.check.tables.reasons import reason_for, same_names
from tandem_tools.check.tables.round_trips import round_trips


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found of one table."""

    data_set: str
    columns: int = 0
    differences: list[Difference] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What nothing can explain."""


def be_quiet() -> None:
    """Print nothing: what is refused is told otherwise.

    DuckDB takes a process that `multiprocessing` started for a person's, and shows its progress.
    """
    logging.disable(logging.WARNING)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def compared(data_set: DataSet) -> Compared:
    """Return what a table's figures and conversions are, beside what pandas says."""
    file = f"table{data_set.name[data_set.name.rindex('.') :]}"
    try:
        return _compared(data_set, file)
    except Permanent as refused:
        return Compared(data_set.name, faults=[f"refused: {refused.reason}"])
    except Exception as error:  # noqa: BLE001  # one table that fails does not hide the others
        return Compared(data_set.name, faults=[f"failed: {error!r}"])


def _compared(data_set: DataSet, file: str) -> Compared:
    content = data_set.content
    text = reference.read_text(content) if file.endswith(".csv") else reference.read_json(content)
    frame = reference.read_csv(content) if file.endswith(".csv") else text
    theirs = reference.figures(frame)
    summarized, types = processed.summarized(file, content)
    ours = processed.queried(file, content, types)
    result = Compared(data_set.name, len(types))
    result.faults.extend(_contradictions(summarized, ours))
    names = list(ours.columns)
    if ours.rows != theirs.rows or len(names) != len(theirs.columns):
        size = f"{ours.rows} rows of {len(names)} columns"
        result.faults.append(f"{size}, not {theirs.rows} of {len(theirs.columns)}")
        return result
    if names != list(theirs.columns):
        reason = NAMES if same_names(names, list(theirs.columns)) else ""
        result.differences.append(Difference(data_set.name, "", "names", reason))
    for number, (name, other) in enumerate(zip(names, theirs.columns.values(), strict=True)):
        one = ours.columns[name]
        if differs := differing(one, other):
            reason = reason_for(one, other, text.iloc[:, number]) if file.endswith(".csv") else ""
            result.differences.append(Difference(data_set.name, name, " ".join(differs), reason))
    result.faults.extend(round_trips(file, content, ours))
    return result


def _contradictions(summarized: Figures, queried: Figures) -> list[str]:
    """Return a line on each column of which two processors say different things."""
    if (summarized.rows, list(summarized.columns)) != (queried.rows, list(queried.columns)):
        return ["a query sees other rows or columns than the profile"]
    return [
        f"{name!r}: {column} in the profile, {queried.columns[name]} by a query"
        for name, column in summarized.columns.items()
        if differing(column, replace(queried.columns[name], sum=None))
    ]
