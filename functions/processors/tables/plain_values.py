"""SQL that turns a column of any type into one of few: boolean, number, text or nested JSON."""

import json
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from processors.tables.type_names import TypeName

MAX_LAMBDAS = 5
NON_FINITE = "a nested value is NaN or infinite, which JSON has not"

Kind = Literal[
    "as is", "float", "decimal", "large integer", "instant", "moment", "blob", "nested", "text"
]
"""What is done with a type's values.

`as is` are booleans, integers to 64 bits and text. `instant` has a time zone and `moment` none.
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

_AS_DUCKDB_WRITES_JSON = {"VARIANT", "DOUBLE", "DATE", "TIME", "TIME_NS", "UUID"}
"""What `to_json` writes in a nested value as it should be, besides the kind `as is`."""


def kind_of(column_type: str) -> Kind:
    """Return what is done with values of a type, given as DuckDB writes it."""
    if column_type.endswith("]") or column_type.startswith(_NESTED):
        return "nested"
    return _KINDS.get(column_type.partition("(")[0], "text")


def plain_sql(c: str, column_type: str) -> str:
    """Return SQL for a column's values: dates and times in ISO 8601, blobs in hexadecimal.

    The database's time zone has to be UTC.
    Floating-point numbers, decimals and large integers stay numbers, FLOAT as a DOUBLE of the same
    shortest decimal. Nested values become JSON text, in which NaN and Infinity are no JSON. Years
    before Christ stay as DuckDB writes them: `0044-03-15 (BC)`.
    """
    there = f"{c} IS NOT NULL"
    match kind_of(column_type):
        case "instant":
            sql = f"regexp_replace({_iso_sql(c)}, '[+]00$', 'Z')"
        case "moment":
            sql = _iso_sql(c)
        case "blob":
            sql = f"lower(hex({c}))"
        case "nested":
            sql = f"CASE WHEN {there} THEN {json_sql(c, column_type)} END"
        case "text":
            # Where all that a query does with a date of read_csv is to cast it to text, DuckDB
            # hands out the text of the file, such as 2024-1-5.
            sql = f"CASE WHEN {there} THEN CAST({c} AS VARCHAR) END"
        case _:
            sql = f"CAST(CAST({c} AS VARCHAR) AS DOUBLE)" if column_type == "FLOAT" else c
    return sql


def is_too_deep(column_type: str) -> bool:
    """Whether SQL for values of a type would have more lambdas within lambdas than DuckDB bears.

    Each takes it four times as long to plan, without an end that an interrupt brings.
    """
    if column_type.count("[") + column_type.count("MAP(") <= MAX_LAMBDAS:
        return False
    from processors.tables.type_names import parse_type

    try:
        return _lambdas(parse_type(column_type)) > MAX_LAMBDAS
    except ValueError:
        return False


def decimal_starts_with_a_point(column_type: str) -> bool:
    """Whether DuckDB writes `.5` for a decimal of this type: it has as many digits as decimals."""
    width, scale = column_type.removeprefix("DECIMAL(").rstrip(")").split(",")
    return int(width) == int(scale)


def decimal_sql(c: str, column_type: str) -> str:
    """Return SQL for a decimal's text, which starts with a digit."""
    text = f"CAST({c} AS VARCHAR)"
    if decimal_starts_with_a_point(column_type):
        return rf"regexp_replace({text}, '^(-?)\.', '\10.')"
    return text


def json_sql(c: str, column_type: str) -> str:
    """Return SQL for a value's JSON text, `null` where it is null, with all digits of numbers."""
    from processors.tables.type_names import parse_type  # few tables have nested values

    try:
        kind = parse_type(column_type)
    except ValueError:  # a type that DuckDB writes in a way of its own
        return f"coalesce(CAST(to_json({c}) AS VARCHAR), 'null')"
    return _json_sql(c, kind, 0)


def text_sql(c: str, column_type: str) -> str:
    """Return SQL for a value as text: a number with all its digits, the others as plain values."""
    match kind_of(column_type):
        case "decimal":
            return decimal_sql(c, column_type)
        case "float":
            return f"CAST({c} AS VARCHAR)"
    return f"CAST({plain_sql(c, column_type)} AS VARCHAR)"


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _iso_sql(c: str) -> str:
    return f"replace(replace(CAST({c} AS VARCHAR), ' ', 'T'), 'T(BC)T', ' (BC) ')"


def _json_sql(c: str, kind: "TypeName", depth: int) -> str:
    if _written_well(kind):
        return f"coalesce(CAST(to_json({c}) AS VARCHAR), 'null')"
    x = f"x{depth}"  # the element, in the lambda of a list
    match kind.shape:
        case "list" | "array":
            [(_, element)] = kind.parts
            values = f"list_transform({c}, lambda {x}: {_json_sql(x, element, depth + 1)})"
            text = f"'[' || array_to_string({values}, ',') || ']'"
        case "map":
            (_, key), (_, value) = kind.parts
            name = _json_sql(f"{x}.key", key, depth + 1)
            if key.shape == "scalar":
                name = plain_sql(f"{x}.key", key.text)
            name = f"to_json(CAST({name} AS VARCHAR))"
            entry = f"CAST({name} AS VARCHAR) || ':' || {_json_sql(f'{x}.value', value, depth + 1)}"
            values = f"list_transform(map_entries({c}), lambda {x}: {entry})"
            text = f"'{{' || array_to_string({values}, ',') || '}}'"
        case "struct":
            text = _object_sql([
                (name, _json_sql(f"struct_extract({c}, {literal(name)})", part, depth))
                for name, part in kind.parts
            ])  # fmt: skip
        case "union":
            cases = " ".join(
                f"WHEN {literal(name)} THEN "
                + _object_sql(
                    [(name, _json_sql(f"union_extract({c}, {literal(name)})", part, depth))]
                )
                for name, part in kind.parts
            )
            text = f"CASE CAST(union_tag({c}) AS VARCHAR) {cases} END"
        case "tuple":
            values = " || ',' || ".join(
                _json_sql(f"struct_extract_at({c}, {n})", part, depth)
                for n, (_, part) in enumerate(kind.parts, start=1)
            )
            text = f"'[' || {values} || ']'"
        case "scalar":
            text = _scalar_json_sql(c, kind.text)
    if kind.shape in {"struct", "tuple", "union"}:  # their text is one even where they are null
        return f"CASE WHEN {c} IS NULL THEN 'null' ELSE {text} END"
    return f"coalesce({text}, 'null')"


def _object_sql(members: list[tuple[str, str]]) -> str:
    parts = [
        literal(("," if n else "{") + json.dumps(name, ensure_ascii=False) + ":") + f" || {value}"
        for n, (name, value) in enumerate(members)
    ]
    return " || ".join(parts) + " || '}'"


def _scalar_json_sql(c: str, scalar: str) -> str:
    match kind_of(scalar):
        case "nested":  # JSON, as it is but for its lines: what is no JSON becomes a text
            one_line = f"translate(CAST({c} AS VARCHAR), chr(10) || chr(13), '  ')"
            return (
                f"CASE WHEN json_valid(CAST({c} AS VARCHAR)) THEN {one_line} "
                f"ELSE CAST(to_json(CAST({c} AS VARCHAR)) AS VARCHAR) END"
            )
        case "float":
            written = f"CAST(to_json({c}) AS VARCHAR)"
            return f"CASE WHEN isfinite({c}) THEN CAST({c} AS VARCHAR) ELSE {written} END"
        case "decimal":
            return decimal_sql(c, scalar)
        case "large integer":
            return f"CAST({c} AS VARCHAR)"
    return f"CAST(to_json({plain_sql(c, scalar)}) AS VARCHAR)"


def _lambdas(kind: "TypeName") -> int:
    """Return how many lambdas stand within each other in the SQL for a type's JSON text."""
    if _written_well(kind):
        return 0
    inner = max((_lambdas(part) for _, part in kind.parts), default=0)
    return inner + (kind.shape in {"list", "array", "map"})


def _written_well(kind: "TypeName") -> bool:
    """Whether `to_json` writes all of a type's values as they should be."""
    if kind.shape != "scalar":
        return all(_written_well(part) for _, part in kind.parts)
    return kind.text in _AS_DUCKDB_WRITES_JSON or kind_of(kind.text) == "as is"
