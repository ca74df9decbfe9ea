"""The first fault of a JSON file that DuckDB cannot read: which of several it meets is chance."""

import json
from pathlib import Path

from tandem.processing import TaskContext

MAX_OBJECT_BYTES = 16 << 20
_LINES_BETWEEN_CHECKS = 1000


def first_fault(file: Path, layout: str, ctx: TaskContext) -> str | None:
    """Return what is wrong, in words, if Python's reader finds it.

    Only where each object has a line is it looked for.
    """
    if layout != "newline_delimited":
        return None
    with file.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(MAX_OBJECT_BYTES + 1), b""), 1):
            if number % _LINES_BETWEEN_CHECKS == 1:
                ctx.check_cancelled()
            if len(line) > MAX_OBJECT_BYTES:
                return f"a line is too long (line {number})"
            if fault := _fault(line):
                return f"{fault} (line {number})"
    return None


def _fault(line: bytes) -> str | None:
    if not line.strip():
        return None
    try:
        json.loads(line.decode(), object_pairs_hook=_distinct)
    except UnicodeDecodeError:
        return "the file is not UTF-8 text"
    except _SameKeyError:
        return "an object has the same key twice"
    except RecursionError:
        return "a value is nested too deeply"
    except ValueError:
        return "a line is not valid JSON"
    return None


class _SameKeyError(ValueError):
    """An object has a key twice."""


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _SameKeyError
    return found
