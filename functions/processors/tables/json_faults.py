"""The first fault of a JSON file that DuckDB cannot read: which of several it meets is chance."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tandem.processing import TaskContext

MAX_OBJECT_BYTES = 16 << 20
_LINES_BETWEEN_CHECKS = 1000


def first_fault(file: Path, layout: str, ctx: TaskContext) -> str | None:
    """Return what is wrong, in words, if Python's reader finds it.

    Only where each object has a line is it looked for.
    """
    if layout != "newline_delimited":
        return None
    # Whether a key comes twice costs most to tell.
    return _first_fault(file, None, ctx) or _first_fault(file, _distinct, ctx)


def _first_fault(
    file: Path, hook: Callable[[list[tuple[str, Any]]], Any] | None, ctx: TaskContext
) -> str | None:
    record = 0
    with file.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(MAX_OBJECT_BYTES + 1), b""), 1):
            if number % _LINES_BETWEEN_CHECKS == 1:
                ctx.check_cancelled()
            if len(line) > MAX_OBJECT_BYTES:
                return f"a line is too long (line {number})"
            if not line.strip():
                continue
            record += 1
            try:
                value = json.loads(line.decode(), object_pairs_hook=hook)
            except (ValueError, RecursionError) as error:
                return f"{_reason(error)} (line {number})"
            if not isinstance(value, dict):
                return f"record {record} is not a JSON object"
    return None


def _reason(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "the file is not UTF-8 text"
        case _SameKeyError():
            return "an object has the same key twice"
        case RecursionError():
            return "a value is nested too deeply"
    return "a line is not valid JSON"


class _SameKeyError(ValueError):
    """An object has a key twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _SameKeyError
    return found
