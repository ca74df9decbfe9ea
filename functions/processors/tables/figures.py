"""The figures that one pass over a table finds, without counting different values."""

from typing import Any

from processors.tables.bins import moment_bins, number_bins
from processors.tables.limits import TEXT_CHARACTERS
from processors.tables.plain_values import text_sql
from processors.tables.profiled_column import Lengths, ProfiledColumn

_FIXED_KEY_BYTES = 8
_OTHER_KEY_BYTES = 200
"""What a nested value or a blob is taken to have: measuring each costs as much as counting."""
_MEAN_DIGITS = 13
"""Of a sum that is not exact: beyond them the order of the rows shows."""
_EXACT_SUMS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


def figures_sql(column: ProfiledColumn) -> str:
    """Return SQL for a struct of a column's figures."""
    c = column.c
    parts = {"count": f"count({c})", "distinct": f"approx_count_distinct({c})"}
    match column.group:
        case "integer" | "decimal" | "float":
            parts |= _number_sql(column)
        case "text":
            parts |= _text_sql(c if column.type == "VARCHAR" else f"CAST({c} AS VARCHAR)")
        case "moment" | "ordered":
            for name, ends in (("least", f"min({c})"), ("greatest", f"max({c})")):
                parts[name] = f"left({text_sql(ends, column.type)}, {TEXT_CHARACTERS})"
    return "{" + ", ".join(f"'{name}': {part}" for name, part in parts.items()) + "}"


def take_figures(column: ProfiledColumn, figures: dict[str, Any]) -> None:
    """Put the figures that the database found in their places."""
    column.count = figures["count"]
    column.distinct = min(figures["distinct"], column.count)
    column.least, column.greatest = figures.get("least"), figures.get("greatest")
    column.key_bytes = _OTHER_KEY_BYTES if column.group == "other" else _FIXED_KEY_BYTES
    match column.group:
        case "integer" | "decimal" | "float" as group:
            if column.type == "BIGNUM" and column.count:
                column.least, column.greatest = int(column.least), int(column.greatest)
            column.mean_exact = _has_exact_sum(column)
            if figures["mean"] is not None:
                mean = figures["mean"]
                exact = column.mean_exact
                column.keep_mean(mean if exact else float(f"{mean:.{_MEAN_DIGITS}g}"))
            if figures["stddev"] is not None:
                column.keep_stddev(figures["stddev"])
            column.non_finite = figures.get("non_finite")
            if column.finite_count:
                digits = 6 if column.type == "FLOAT" else 14
                unit = column.scale if group != "float" else None
                column.bins = number_bins(column.least, column.greatest, unit, digits)
        case "text":
            column.key_bytes = figures["bytes"] or 0
            column.blanks = figures["blanks"]
            if column.count:
                column.lengths = Lengths(
                    figures["shortest"], figures["longest"], figures["mean_length"]
                )
        case "moment":
            if column.count:
                column.bins = moment_bins(column.least, column.greatest, column.base)


def _number_sql(column: ProfiledColumn) -> dict[str, str]:
    c = column.c
    finite = f" FILTER (isfinite({c}))" if column.group == "float" else ""
    ends = {"least": f"min({c}){finite}", "greatest": f"max({c}){finite}"}
    if column.type == "FLOAT":  # 0.1 and not 0.10000000149
        ends = {name: f"CAST(CAST({end} AS VARCHAR) AS DOUBLE)" for name, end in ends.items()}
    parts = ends | {
        "mean": f"avg({c})" if _has_exact_sum(column) else f"favg(CAST({c} AS DOUBLE)){finite}",
        "stddev": f"stddev_samp(CAST({c} AS DOUBLE)){finite}",
    }
    if column.group == "float":
        parts["non_finite"] = f"count({c}) FILTER (NOT isfinite({c}))"
    return parts


def _text_sql(c: str) -> dict[str, str]:
    # The first two comparisons are quick, and settle it for most texts.
    blank = rf"({c} < '!' OR {c} > '~') AND regexp_full_match({c}, '[\s\pZ]*')"
    return {
        "least": f"left(min({c}), {TEXT_CHARACTERS})",
        "greatest": f"left(max({c}), {TEXT_CHARACTERS})",
        "shortest": f"min(length({c}))",
        "longest": f"max(length({c}))",
        "mean_length": f"avg(length({c}))",
        "bytes": f"avg(strlen({c}))",
        "blanks": f"count({c}) FILTER ({blank})",
    }


def _has_exact_sum(column: ProfiledColumn) -> bool:
    return column.base in _EXACT_SUMS or (column.group == "decimal" and _width(column) <= 18)


def _width(column: ProfiledColumn) -> int:
    return int(column.type.removeprefix("DECIMAL(").partition(",")[0])
