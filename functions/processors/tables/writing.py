"""SQL that writes columns as CSV, JSON Lines or Parquet.

A module of its own, without imports beyond plain values: a query's process needs it too.
"""

import json
from typing import TYPE_CHECKING, NamedTuple

from processors.tables.plain_values import (
    NON_FINITE,
    Kind,
    decimal_sql,
    decimal_starts_with_a_point,
    kind_of,
    literal,
    plain_sql,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.tables.limits import TableFormat

CONTENT_TYPES: "dict[TableFormat, str]" = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_OPTIONS: "dict[TableFormat, str]" = {
    "csv": "FORMAT csv, HEADER true, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR '', "
    "NEW_LINE '\\r\\n'",
    "jsonl": "FORMAT json, ARRAY false",
    "parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}",
}
_AS_LINES = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\n', NEW_LINE '\\n'"
"""Writes the texts of one column as they are, a line each."""
_ROW_GROUP_ROWS = 122_880
_ROW_GROUP_CELLS = 2_000_000
_JSON_TEXT = r'"(\\.|[^"\\])*"'
_MAY_BE_NON_FINITE = ("FLOAT", "DOUBLE", "VARIANT", "JSON")
_NOT_IN_PARQUET = ("HUGEINT", "UHUGEINT", "BIGNUM", "INTERVAL", "TIME WITH TIME ZONE", "UNION")


class Written(NamedTuple):
    """A column to write."""

    name: str
    type: str
    """As DuckDB writes it."""
    sql: str
    """For its values."""


def written_sql(columns: "Sequence[Written]", to: "TableFormat") -> tuple[str, str]:
    """Return the SQL of a SELECT's values, and the options of the COPY that writes them."""
    options = _OPTIONS[to].format(rows=min(_ROW_GROUP_ROWS, _ROW_GROUP_CELLS // len(columns)))
    if to == "jsonl" and any(map(_has_its_own_json, columns)):
        return _line_sql(columns), _AS_LINES
    if to == "csv" and len(columns) == 1:
        return _one_csv_column(columns[0], options)
    values = (f"{_value_sql(column, to)} AS {quoted(column.name)}" for column in columns)
    return ", ".join(values), options


def _one_csv_column(column: Written, options: str) -> tuple[str, str]:
    """Return the values and the options of a CSV file with one column.

    Readers skip a line that is empty or blank, so there a null and all texts are quoted.
    """
    value = f"coalesce(CAST({_value_sql(column, 'csv')} AS VARCHAR), '')"
    if column.type == "VARCHAR":
        options += ", FORCE_QUOTE *"
    return f"{value} AS {quoted(column.name)}", options


def _has_its_own_json(column: Written) -> bool:
    """Whether DuckDB would write other JSON for a column: it rounds numbers, and writes `.5`."""
    kind = kind_of(column.type)
    return kind == "nested" or (kind == "decimal" and decimal_starts_with_a_point(column.type))


def _line_sql(columns: "Sequence[Written]") -> str:
    """Return SQL for the JSON text of a row."""
    members = []
    for column in columns:
        value = _value_sql(column, "jsonl")
        text = value if _has_its_own_json(column) else f"CAST(to_json({value}) AS VARCHAR)"
        name = literal(json.dumps(column.name, ensure_ascii=False) + ":")
        members.append(f"{name}, coalesce({text}, 'null')")
    return f"concat('{{', {", ',', ".join(members)}, '}}')"


def _value_sql(column: Written, to: "TableFormat") -> str:
    plain = plain_sql(column.sql, column.type)
    match to, kind_of(column.type):
        case "parquet", kind:
            return _parquet_sql(column, kind, plain)
        case "jsonl", "float":
            return f"CASE WHEN isfinite({column.sql}) THEN {plain} END"
        case _, "decimal" if decimal_starts_with_a_point(column.type):
            return decimal_sql(column.sql, column.type)
        case _, "nested" if any(kind in column.type for kind in _MAY_BE_NON_FINITE):
            # What is left of it without its texts has these words only where they are numbers.
            maybe = f"contains({plain}, 'NaN') OR contains({plain}, 'Infinity')"
            rest = f"regexp_replace({plain}, '{_JSON_TEXT}', '', 'g')"
            found = f"({maybe}) AND regexp_matches({rest}, 'NaN|Infinity')"
            return f"CASE WHEN {found} THEN error('{NON_FINITE}') ELSE {plain} END"
    return plain


def _parquet_sql(column: Written, kind: Kind, plain: str) -> str:
    """Return SQL for what Parquet can hold. DuckDB would put the nearest type in its place."""
    if kind == "large integer":
        return f"CAST({column.sql} AS VARCHAR)"
    if kind == "nested":
        lost = any(kind in column.type for kind in _NOT_IN_PARQUET)
        return f"CAST({plain} AS JSON)" if lost else column.sql
    if column.type == "BIGINT":  # it may be what a HUGEINT was narrowed to
        return f"CAST({column.sql} AS BIGINT)"
    return plain if column.type in _NOT_IN_PARQUET else column.sql
