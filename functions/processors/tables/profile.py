"""The SQL that profiles the columns of a table: one pass for fifty, two when it is large."""

from collections.abc import Sequence
from itertools import batched
from typing import Any

from processors.tables.table import Column, Table

TOP_VALUES = 10
TEXT_CHARACTERS = 100
COLUMNS_AT_ONCE = 50
"""One pass looks at so many: the figures of each take memory while they are made."""
TEXTS_AT_ONCE = 25

Figures = dict[str, Any]
"""What the database says of a column: always `count` and `distinct`, the others by its type."""

_INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_NUMBERS = _INTEGERS | {"INTEGER", "UINTEGER", "DECIMAL", "BIGNUM"}
_FLOATS = {"FLOAT", "DOUBLE"}
_TEXTS = {"VARCHAR", "ENUM", "UUID", "JSON", "BOOLEAN"}
_MOMENTS = {"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}


def profile(table: Table) -> tuple[int, list[Figures]]:
    """Return the number of rows, and the figures of each column."""
    query = table.database.query
    names = [f"c{number}" for number in range(len(table.columns))]
    source = "data"
    if table.small:
        query("CREATE TEMP TABLE kept AS FROM data")
        source = "kept"
    view = f"{source} AS t({', '.join(names)})"  # the file's own names never reach the SQL
    rows = 0
    columns: list[Figures] = []
    for some in batched(zip(names, table.columns, strict=True), COLUMNS_AT_ONCE, strict=False):
        parts = ", ".join(_figures_sql(name, column, small=table.small) for name, column in some)
        [(rows, *found)] = query(f"SELECT count(*), {parts} FROM {view}")  # noqa: S608  # our names
        columns += found
    texts = [(c, one) for c, one in zip(names, columns, strict=True) if "top" in one]
    if table.small:
        for c, figures in texts:
            figures["top"] = _top(table, view, c)
    else:
        for some_texts in batched(texts, TEXTS_AT_ONCE, strict=False):
            _count_candidates(table, view, some_texts)
    return rows, columns


def _figures_sql(c: str, column: Column, *, small: bool) -> str:
    """Return SQL for a struct of a column's figures."""
    kind = column.type if column.type.endswith(("]", "ZONE")) else column.type.partition("(")[0]
    parts = {
        "count": f"count({c})",
        "distinct": f"count(DISTINCT {c})" if small else f"approx_count_distinct({c})",
    }
    if kind in _NUMBERS | _FLOATS:
        parts |= _numbers_sql(c, floats=kind in _FLOATS, small=small)
    elif kind in _TEXTS:
        text = f"CAST({c} AS VARCHAR)"
        parts |= {f: f"left({f}({text}), {TEXT_CHARACTERS})" for f in ("min", "max")}
        parts["top"] = "NULL" if small else f"approx_top_k({text}, {TOP_VALUES})"
    elif kind in _MOMENTS:
        parts |= {f: f"replace(CAST({f}({c}) AS VARCHAR), ' ', 'T')" for f in ("min", "max")}
    elif kind == "TIMESTAMP WITH TIME ZONE":
        utc = "replace(CAST(timezone('UTC', {}({})) AS VARCHAR), ' ', 'T') || 'Z'"
        parts |= {f: utc.format(f, c) for f in ("min", "max")}
    return "{" + ", ".join(f"'{name}': {part}" for name, part in parts.items()) + "}"


def _numbers_sql(c: str, *, floats: bool, small: bool) -> dict[str, str]:
    number = f"CAST({c} AS DOUBLE)"
    finite = f" FILTER (isfinite({c}))" if floats else ""
    quantile = "quantile_cont" if small else "approx_quantile"
    parts = {
        "min": f"min({c}){finite}",
        "max": f"max({c}){finite}",
        "mean": f"avg({number}){finite}",
        "stddev": f"stddev_samp({number}){finite}",
        "quartiles": f"{quantile}({number}, [0.25, 0.5, 0.75]){finite}",
    }
    if floats:
        parts["non_finite"] = f"count({c}) FILTER (NOT isfinite({c}))"
    return parts


def _top(table: Table, view: str, c: str) -> list[dict[str, Any]]:
    """Return a column's most frequent values."""
    sql = (
        f"SELECT CAST({c} AS VARCHAR) AS v, count(*) AS n FROM {view} WHERE v IS NOT NULL "  # noqa: S608
        f"GROUP BY v ORDER BY n DESC, v LIMIT {TOP_VALUES}"
    )
    return [_top_value(value, count) for value, count in table.database.query(sql)]


def _count_candidates(table: Table, view: str, texts: Sequence[tuple[str, Figures]]) -> None:
    """Put the exact counts of what may be the most frequent values in their place."""
    texts = [(c, figures) for c, figures in texts if figures["top"]]
    if not texts:
        return
    # Not IN: it makes a join of every list, and each join takes memory.
    counts = [
        f"histogram(CAST({c} AS VARCHAR)) FILTER (list_contains(?, CAST({c} AS VARCHAR)))"
        for c, _ in texts
    ]
    values = [figures["top"] for _, figures in texts]
    sql = f"SELECT {', '.join(counts)} FROM {view}"  # noqa: S608  # made of our own names
    [found] = table.database.query(sql, values)
    for (_, figures), count_by_value in zip(texts, found, strict=True):
        ranked = sorted(count_by_value.items(), key=lambda entry: (-entry[1], entry[0]))
        figures["top"] = [_top_value(value, count) for value, count in ranked]


def _top_value(value: str, count: int) -> dict[str, Any]:
    return {"value": value[:TEXT_CHARACTERS], "count": count}
