"""The SQL that profiles the columns of a table: one pass over it, or two when it is large."""

from typing import Any

from processors._tables import Column, Table

TOP_VALUES = 10
TEXT_CHARACTERS = 100

Figures = dict[str, Any]
"""What the database says of a column: always `count` and `distinct`, the others by its type."""

_INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_NUMBERS = _INTEGERS | {"INTEGER", "UINTEGER", "DECIMAL", "BIGNUM"}
_FLOATS = {"FLOAT", "DOUBLE"}
_TEXTS = {"VARCHAR", "ENUM", "UUID", "JSON", "BOOLEAN"}
_MOMENTS = {"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}


def profile(table: Table) -> tuple[int, list[Figures]]:
    """Return the number of rows, and the figures of each column."""
    names = [f"c{number}" for number in range(len(table.columns))]
    view = f"data AS t({', '.join(names)})"  # the file's own names never reach the SQL
    figures = ", ".join(
        _figures_sql(name, column, small=table.small)
        for name, column in zip(names, table.columns, strict=True)
    )
    sql = f"SELECT count(*), {figures} FROM {view}"  # noqa: S608  # made of this module's text
    [(rows, *columns)] = table.database.query(sql)
    if not table.small:
        _count_candidates(table, view, columns)
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
        parts["top"] = _top_sql(text) if small else f"approx_top_k({text}, {TOP_VALUES})"
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


def _top_sql(text: str) -> str:
    by_count = "lambda e: {'n': -CAST(e.value AS BIGINT), 'v': e.key}"
    sorted_entries = f"list_sort(list_transform(map_entries(histogram({text})), {by_count}))"
    shown = f"lambda e: {{'value': left(e.v, {TEXT_CHARACTERS}), 'count': -e.n}}"
    return f"list_transform(list_slice({sorted_entries}, 1, {TOP_VALUES}), {shown})"


def _count_candidates(table: Table, view: str, columns: list[Figures]) -> None:
    """Put the exact counts of what may be the most frequent values in their place."""
    texts = [(c, figures) for c, figures in enumerate(columns) if figures.get("top")]
    if not texts:
        return
    counts = [
        f"histogram(CAST(c{c} AS VARCHAR)) FILTER (CAST(c{c} AS VARCHAR) IN ({marks}))"
        for c, figures in texts
        for marks in [", ".join("?" * len(figures["top"]))]
    ]
    values = [value for _, figures in texts for value in figures["top"]]
    sql = f"SELECT {', '.join(counts)} FROM {view}"  # noqa: S608  # made of this module's text
    [found] = table.database.query(sql, values)
    for (_, figures), count_by_value in zip(texts, found, strict=True):
        ranked = sorted(count_by_value.items(), key=lambda entry: (-entry[1], entry[0]))
        figures["top"] = [
            {"value": value[:TEXT_CHARACTERS], "count": count} for value, count in ranked
        ]
