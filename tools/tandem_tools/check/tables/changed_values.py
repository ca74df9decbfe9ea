"""Values of a table that are others in a file that it was converted to."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tandem_tools.check.tables.figures import Kind, moment

NULLS = frozenset({"", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "\\N", "-"})
"""What may become null in a column of numbers, dates or times."""


def changed_fields(
    content: bytes, written: bytes, names: Sequence[str], kinds: Sequence[Kind]
) -> Iterator[str]:
    """Yield a line on the first changed field of each column of CSV."""
    before, after = (
        [row for row in _rows_of(side)[1:] if row or len(kinds) == 1] for side in (content, written)
    )
    if len(before) != len(after):
        yield f"csv has {len(after)} rows and not {len(before)}"
        return
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        same = _SAME[kind]
        for row, (value, other) in enumerate(zip(before, after, strict=True), start=1):
            a, b = (fields[number] if fields else "" for fields in (value, other))
            if a != b and not same(a, b):
                yield f"csv, {name!r}, row {row}: {a!r} became {b!r}"
                break


def _rows_of(content: bytes) -> list[list[str]]:
    """Return the fields of a CSV file as they are, its line of names first."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def _same_number(before: str, after: str) -> bool:
    if not after:
        return before.strip() in NULLS
    return before.lower() == after.lower() or Decimal(before) == Decimal(after)


def _same_moment(before: str, after: str) -> bool:
    if not after:
        return before.strip() in NULLS
    if moment(before) == moment(after):
        return True
    one, other = (datetime.fromisoformat(text) for text in (before, after))
    return one == other


def _same_truth(before: str, after: str) -> bool:
    return after == {"yes": "true", "t": "true", "true": "true"}.get(before.lower(), "false")


_SAME: dict[Kind, Callable[[str, str], bool]] = {
    "number": _same_number,
    "moment": _same_moment,
    "boolean": _same_truth,
    "text": lambda before, after: before == after,
    "nested": lambda before, after: before == after,
}


def changed_records(content: bytes, lines: bytes) -> Iterator[str]:
    """Yield a line on the first object of JSON whose values changed."""
    before: list[dict[str, Any]] = json.loads(content)
    after = [json.loads(line) for line in lines.splitlines()]
    if len(before) != len(after):
        yield f"JSON Lines have {len(after)} objects and not {len(before)}"
        return
    for row, (value, other) in enumerate(zip(before, after, strict=True), start=1):
        changed = [name for name in other if not _same(value.get(name), other[name])]
        if changed or value.keys() - other.keys():
            yield f"JSON Lines, object {row}: {changed} changed"
            return


def _same(before: Any, after: Any) -> bool:
    """Return whether two values of JSON are the same. A time may be written in another way."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(_same(before.get(name), after[name]) for name in after)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after) or (
        isinstance(before, str) and isinstance(after, str) and moment(before) == moment(after)
    )
