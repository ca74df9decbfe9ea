"""SQL that turns a column of any type into one of few: boolean, number, text or nested JSON."""

from typing import Literal

Kind = Literal[
    "as is", "float", "decimal", "large integer", "instant", "moment", "blob", "nested", "text"
]
"""What is done with a type's values.

`as is` are booleans, integers to 64 bits and text; `instant` has a time zone and `moment` none;
`text` is everything that is read best as DuckDB writes it.
"""

_KINDS: dict[str, Kind] = {
    "FLOAT": "float",
    "DOUBLE": "float",
    "DECIMAL": "decimal",
    "HUGEINT": "large integer",
    "UHUGEINT": "large integer",
    "BIGNUM": "large integer",
    "TIMESTAMP WITH TIME ZONE": "instant",
    "TIMESTAMPTZ_NS": "instant",
    "BLOB": "blob",
}
_KINDS |= dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "moment")
_KINDS |= dict.fromkeys(("BOOLEAN", "VARCHAR", "NULL", "INTEGER", "UINTEGER"), "as is")
_KINDS |= dict.fromkeys(("TINYINT", "SMALLINT", "BIGINT"), "as is")
_KINDS |= dict.fromkeys(("UTINYINT", "USMALLINT", "UBIGINT"), "as is")
_NESTED = ("STRUCT", "MAP", "TUPLE", "UNION", "VARIANT", "JSON")


def kind_of(column_type: str) -> Kind:
    """Return what is done with values of a type, given as DuckDB writes it."""
    if column_type.endswith("]") or column_type.startswith(_NESTED):
        return "nested"
    return _KINDS.get(column_type.partition("(")[0], "text")


def plain_sql(c: str, column_type: str) -> str:
    """Return SQL for a column's values: dates and times in ISO 8601, blobs in hexadecimal.

    The database's time zone has to be UTC.
    Floating-point numbers, decimals and large integers stay what they are; nested values become
    DuckDB's type JSON, in which its NaN and Infinity are no JSON.
    """
    text = f"CAST({c} AS VARCHAR)"
    match kind_of(column_type):
        case "instant":
            return f"regexp_replace(replace({text}, ' ', 'T'), '[+]00$', 'Z')"
        case "moment":
            return f"replace({text}, ' ', 'T')"
        case "blob":
            return f"lower(hex({c}))"
        case "nested":
            return f"to_json({c})"
        case "text":
            return text
    return c


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'
