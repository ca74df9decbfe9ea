"""The rows of a query's result as plain JSON, as many as fit."""

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from processors.tables.plain_values import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

_ROWS_AT_ONCE = 100
_MAX_DEPTH = 32


class RowTooLarge(Exception):
    """Not even one row fits."""


def read_rows(
    result: "DuckDBPyConnection", types: "Sequence[str]", max_rows: int, max_bytes: int
) -> tuple[list[list[Any]], bool]:
    """Return the first rows of a result, and whether there are more.

    Raises:
        RowTooLarge: the first row alone has more than `max_bytes`.
    """
    kinds = [kind_of(kind) for kind in types]
    rows: list[list[Any]] = []
    size = 0
    while some := result.fetchmany(_ROWS_AT_ONCE):
        for values in some:
            row = [_plain(value, kind) for value, kind in zip(values, kinds, strict=True)]
            size += len(json.dumps(row, ensure_ascii=False).encode()) + 2
            if size > max_bytes and not rows:
                raise RowTooLarge
            if size > max_bytes or len(rows) == max_rows:
                return rows, True
            rows.append(row)
    return rows, False


def _plain(value: Any, kind: Kind) -> Any:
    match kind:
        case "float":
            return value if value is None or math.isfinite(value) else None
        case "decimal":
            return None if value is None else format(value, "f")
        case "nested":
            return None if value is None else _document(value)
    return value


def _document(text: str) -> Any:
    """Return what a JSON text says. The text itself where it is no document for others to read."""
    try:
        document = json.loads(text, parse_constant=_null, parse_float=_number)
        _check_depth(document, _MAX_DEPTH)
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair fails here
    except (ValueError, RecursionError):
        return text
    return document


def _check_depth(document: Any, left: int) -> None:
    if left == 0:
        raise ValueError
    if isinstance(document, list):
        for value in document:
            _check_depth(value, left - 1)
    elif isinstance(document, dict):
        for value in document.values():
            _check_depth(value, left - 1)


def _null(constant: str) -> None:
    """Stand for NaN and Infinity, which JSON has not."""


def _number(digits: str) -> float | str:
    """Return a number, or its text where a double would change it."""
    value = float(digits)
    return value if Decimal(repr(value)) == Decimal(digits) else digits
