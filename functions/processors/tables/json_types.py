"""DuckDB types for JSON, from the structure that all objects of a file have together."""

from collections.abc import Mapping
from typing import Any

from processors.tables.names import folded
from processors.tables.plain_values import is_too_deep, quoted

MAX_FIELDS = 200
"""A nested object with more different keys stays JSON: its keys are data, not names."""
MAX_DEPTH = 16
"""What is nested more deeply stays JSON."""

MAX_LISTS = 4
"""In more lists, one within the other, JSON stays JSON: DuckDB takes three times as long with each
to write what they hold."""

INTEGERS = {"UBIGINT", "BIGINT", "HUGEINT"}
_LEAVES = {"BOOLEAN", "DOUBLE", "VARCHAR"} | INTEGERS

type Structure = str | list["Structure"] | Mapping[str, "Structure"]
"""As DuckDB's `json_group_structure` gives it: where values are of several types, `JSON`."""


def type_of(
    structure: Any, *, long_numbers: bool, exact: bool = True, depth: int = 0, lists: int = 0
) -> str:
    """Return the type of what has a structure.

    `long_numbers` is whether there may be integers of more than 63 bits. If not `exact`, a double
    would not hold all numbers, and they are text.
    """
    if depth > MAX_DEPTH:
        return "JSON"
    match structure:
        case str():
            return _leaf(structure, long_numbers=long_numbers, exact=exact)
        case [element]:
            inner = type_of(
                element,
                long_numbers=long_numbers,
                exact=exact,
                depth=depth + 1,
                lists=lists + 1,
            )
            slow = "JSON" in inner and lists >= MAX_LISTS
            return "JSON" if slow or is_too_deep(f"{inner}[]") else f"{inner}[]"
        case dict() if 0 < len(structure) <= MAX_FIELDS and _distinct(structure):
            fields = ", ".join(
                f"{quoted(key)} "
                + type_of(
                    value, long_numbers=long_numbers, exact=exact, depth=depth + 1, lists=lists
                )
                for key, value in structure.items()
            )
            return f"STRUCT({fields})"
    return "JSON"


def has_double(structure: Any) -> bool:
    """Return whether a value of the structure may have doubles in it."""
    match structure:
        case dict():
            return any(has_double(value) for value in structure.values())
        case [element]:
            return has_double(element)
    return bool(structure == "DOUBLE")


def _leaf(structure: str, *, long_numbers: bool, exact: bool) -> str:
    if structure in INTEGERS and not long_numbers:
        return "BIGINT"
    if structure == "DOUBLE" and not exact:
        return "VARCHAR"
    return structure if structure in _LEAVES else "JSON"


def _distinct(structure: Mapping[str, Any]) -> bool:
    """Return whether keys can be names of fields: none is empty, and no two differ in case only."""
    keys = {folded(key) for key in structure}
    return len(keys) == len(structure) and "" not in keys and not any("\x00" in key for key in keys)
