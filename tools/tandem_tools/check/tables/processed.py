"""Figures of a table as the processors give them, and the files that they convert it to."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import batched
from typing import Any

from processors.tables import convert, query, summarize
from processors.tables.limits import TableFormat
from tandem.testing import FakeContext
from tandem_tools.check.tables.figures import Column, Figures, Kind, moment

_AT_ONCE = 20
"""Columns of one query, which has six figures for each and 10,000 characters at most."""
_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT"})
_NUMBERS = _WHOLE | {"DOUBLE", "FLOAT", "DECIMAL", "BIGNUM"}


def summarized(file: str, content: bytes) -> tuple[Figures, dict[str, str]]:
    """Return the figures of `summarize-table`, which has no sums, and the columns' types."""
    data = summarize.Input.model_validate({"upload": "it"})
    output: Any = summarize.summarize_table.run(data, _context(file, content))
    columns = {}
    for column in output.columns:
        kind = kind_of(column.type)
        columns[column.name] = Column(
            kind,
            column.nulls,
            None if kind == "nested" else column.distinct,
            _value(column.min, kind),
            _value(column.max, kind),
            _number(column.mean),
        )
    return Figures(output.rows, columns), {column.name: column.type for column in output.columns}


def queried(file: str, content: bytes, column_types: dict[str, str]) -> Figures:
    """Return the figures that `query-table` finds."""
    columns: dict[str, Column] = {}
    rows = 0
    for some in batched(column_types.items(), _AT_ONCE, strict=False):
        parts = ["count(*)"] + [part for name, kind in some for part in _parts(name, kind)]
        sql = f"SELECT {', '.join(parts)} FROM data"  # noqa: S608  # names are quoted
        data = query.Input.model_validate({"upload": "it", "sql": sql})
        output: Any = query.query_table.run(data, _context(file, content))
        [[rows, *found]] = output.rows
        values = iter(found)
        for name, column_type in some:
            columns[name] = _column(kind_of(column_type), rows, values)
    return Figures(rows, columns)


def converted(file: str, content: bytes, to: TableFormat) -> bytes:
    """Return the file that `convert-table` writes."""
    context = _context(file, content)
    data = convert.Input.model_validate({"upload": "it", "to": to})
    convert.convert_table.run(data, context)
    [written] = context.saved.values()
    return written


def kind_of(column_type: str) -> Kind:
    """Return the kind of a column of a type, as DuckDB writes it."""
    name = column_type.partition("(")[0]
    if column_type.endswith("]") or name in {"STRUCT", "MAP", "JSON"}:
        return "nested"
    if name == "BOOLEAN":
        return "boolean"
    if name in _NUMBERS:
        return "number"
    return "moment" if name.startswith(("DATE", "TIME")) else "text"


def _parts(name: str, column_type: str) -> Sequence[str]:
    c = '"' + name.replace('"', '""') + '"'
    parts = [f"count({c})", f"count(DISTINCT {c})"]
    match kind_of(column_type):
        case "nested":
            return parts
        case "number" if column_type in {"DOUBLE", "FLOAT"}:
            finite = f"FILTER (isfinite({c}))"
            return parts + [f"{f}({c}) {finite}" for f in ("min", "max", "avg", "sum")]
        case "number":
            return parts + [f"{f}({c})" for f in ("min", "max", "avg", "sum")]
    return parts + [f"{f}({c})" for f in ("min", "max")]


def _column(kind: Kind, rows: int, values: Iterator[Any]) -> Column:
    nulls, distinct = rows - next(values), next(values)
    if kind == "nested":
        return Column(kind, nulls, None)
    extremes = _value(next(values), kind), _value(next(values), kind)
    if kind == "number":
        return Column(
            kind, nulls, distinct, *extremes, _number(next(values)), _number(next(values))
        )
    return Column(kind, nulls, distinct, *extremes)


def _value(value: Any, kind: Kind) -> float | str | None:
    if kind == "number" or value is None:
        return _number(value)
    text = str(value).lower() if kind == "boolean" else str(value)
    return moment(text) if kind == "moment" else text


def _number(value: Any) -> float | None:
    number = None if value is None else float(Decimal(value))
    return None if number is None or not math.isfinite(number) else number


def _context(file: str, content: bytes) -> FakeContext:
    return FakeContext(uploads={"it": (file, content)})
