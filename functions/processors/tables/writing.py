"""SQL that writes a table as CSV, JSON Lines or Parquet.

A module of its own, without imports beyond plain values: a query's process needs it too.
"""

from typing import TYPE_CHECKING

from processors.tables.plain_values import Kind, kind_of, plain_sql

if TYPE_CHECKING:
    from processors.tables.limits import TableFormat

NON_FINITE = "a nested value is NaN or infinite, which JSON has not"

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
_ROW_GROUP_ROWS = 122_880
_ROW_GROUP_CELLS = 2_000_000
_JSON_TEXT = r'"(\\.|[^"\\])*"'
_NOT_IN_PARQUET = ("HUGEINT", "UHUGEINT", "BIGNUM", "INTERVAL", "TIME WITH TIME ZONE", "UNION")


def copy_options(to: "TableFormat", columns: int) -> str:
    """Return the options of a COPY that writes so many columns."""
    return _OPTIONS[to].format(rows=min(_ROW_GROUP_ROWS, _ROW_GROUP_CELLS // columns))


def value_sql(c: str, column_type: str, to: "TableFormat") -> str:
    """Return SQL for a column's values as the format holds them.

    Args:
        c: SQL for the column.
        column_type: its type as DuckDB writes it.
        to: the format.
    """
    plain = plain_sql(c, column_type)
    match to, kind_of(column_type):
        case "parquet", kind:
            return _parquet_sql(c, column_type, kind, plain)
        case "jsonl", "float":
            return f"CASE WHEN isfinite({c}) THEN {c} END"
        case _, "nested":
            # What is left of it without its texts has these words only where they are numbers.
            rest = f"regexp_replace(CAST({plain} AS VARCHAR), '{_JSON_TEXT}', '', 'g')"
            checked = f"CASE WHEN regexp_matches({rest}, 'NaN|Infinity') THEN error('{NON_FINITE}')"
            checked += f" ELSE {plain} END"
            return checked if to == "jsonl" else f"CAST({checked} AS VARCHAR)"
    return plain


def _parquet_sql(c: str, column_type: str, kind: Kind, plain: str) -> str:
    """Return SQL for what Parquet can hold; DuckDB would put the nearest type in its place."""
    if kind == "large integer":
        return f"CAST({c} AS VARCHAR)"
    if kind == "nested":
        return plain if any(one in column_type for one in _NOT_IN_PARQUET) else c
    if column_type == "BIGINT":  # it may be what a HUGEINT was narrowed to
        return f"CAST({c} AS BIGINT)"
    return plain if column_type in _NOT_IN_PARQUET else c
