"""The check of a query's parse tree: what it names must be its tables and harmless functions.

DuckDB itself opens no file but the query's own. This check keeps a query from reading those as
anything else than the tables they are, and from what the database says of itself: its settings
and views hold the numbers of the open files and of the process.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

READ_ONLY = "a query may only read its tables: no files, network, extensions or settings"
NO_SLEEP = "a query may not sleep"

TABLE_FUNCTIONS = frozenset(
    [
        "range",
        "generate_series",
        "unnest",
        "repeat",
        "repeat_row",
        "json_each",
        "json_tree",
        "test_all_types",
        "test_vector_types",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_types",
        "icu_calendar_names",
        "pg_timezone_names",
        "pragma_collations",
        "pragma_version",
    ]
)
"""The table functions that a query may name. They read their arguments and nothing else."""

_PRIVATE_FUNCTIONS = frozenset(["current_query", "current_setting", "getvariable", "write_log"])
_PRIVATE_PREFIXES = ("__internal_", "pg_")
_PUBLIC_FUNCTIONS = frozenset(("pg_size_pretty", "pg_typeof"))
_SLEEPS = frozenset(("pg_sleep", "sleep_ms"))
_OWN_VIEW = re.compile("(duckdb|pg|pragma|sqlite)_", re.IGNORECASE)
_QUERIES = frozenset(
    ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "STATEMENT_NODE")
)
_SOURCES = frozenset(
    ("JOIN", "SUBQUERY", "EXPRESSION_LIST", "EMPTY", "EMPTY_FROM", "PIVOT", "COLUMN_DATA")
)
_SCHEMAS: Collection[list[str]] = ([], ["main"], ["memory"], ["memory", "main"])


class Refused(Exception):
    """The query cannot be run. The message says why."""


def check_reads(tree: dict[str, Any], tables: Collection[str]) -> None:
    """Return when a query reads nothing but its tables.

    Args:
        tree: the query as DuckDB's `json_serialize_sql` writes it.
        tables: the names of its tables.

    Raises:
        Refused: it names another table, or what it may not use.
    """
    if tree["error"]:
        message = f"the query cannot be checked: {tree['error_message']}"
        raise Refused(message)
    parts = list(_objects(tree))
    expressions = {name.lower() for part in parts for name in _named_within(part)}
    for part in parts:
        if "class" in part:
            _check_function(part)
        elif "cte_map" in part:
            if part["type"] not in _QUERIES:
                raise Refused(READ_ONLY)
        elif "sample" in part:
            _check_source(part, tables, expressions)


def _objects(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every object of a JSON document, at whatever depth."""
    waiting: list[Any] = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _named_within(part: dict[str, Any]) -> list[str]:
    """Return the names that a WITH gives to its queries.

    Raises:
        Refused: one is that of a view of the database's own, which it would hide only in part.
    """
    if "cte_map" not in part:
        return []
    names = [str(entry["key"]) for entry in part["cte_map"]["map"]]
    for name in names:
        if _OWN_VIEW.match(name):
            message = f'a WITH cannot be named "{name}": that is a name of the database\'s own'
            raise Refused(message)
    return names


def _check_function(expression: dict[str, Any]) -> None:
    name = str(expression.get("function_name", "")).lower()
    if name in _SLEEPS:
        raise Refused(NO_SLEEP)
    private = name in _PRIVATE_FUNCTIONS or name.startswith(_PRIVATE_PREFIXES)
    if private and name not in _PUBLIC_FUNCTIONS | TABLE_FUNCTIONS:
        raise Refused(READ_ONLY)


def _check_source(
    source: dict[str, Any], tables: Collection[str], expressions: Collection[str]
) -> None:
    """Check what stands in a FROM clause."""
    kind = source["type"]
    if kind == "BASE_TABLE" or (kind == "SHOW_REF" and source["show_type"] == "SHOW"):
        _check_table(source["qualified_name"]["path"], tables, expressions)
    elif kind == "TABLE_FUNCTION":
        if str(source["function"].get("function_name")).lower() not in TABLE_FUNCTIONS:
            raise Refused(READ_ONLY)
    elif kind == "SHOW_REF":
        if not source.get("query") and source["table_name"] != '"tables"':
            raise Refused(READ_ONLY)
    elif kind not in _SOURCES:
        raise Refused(READ_ONLY)


def _check_table(path: list[str], tables: Collection[str], expressions: Collection[str]) -> None:
    *schema, name = (part.lower() for part in path)
    if schema in _SCHEMAS and name in {table.lower() for table in tables}:
        return
    if schema in ([], ["recurring"]) and name in expressions:
        return
    there = " and ".join(f'"{table}"' for table in sorted(tables))
    message = f'there is no table "{".".join(path)}": the query has {there}'
    raise Refused(message)
