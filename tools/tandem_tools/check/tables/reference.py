"""Figures of a table as pandas reads it."""

import io
import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas.api import types

from tandem_tools.check.tables.figures import Column, Figures, Kind, moment


def read_csv(content: bytes) -> pd.DataFrame:
    """Return a CSV file as pandas reads it by itself, but with doubles rounded correctly."""
    return pd.read_csv(io.BytesIO(content), float_precision="round_trip", low_memory=False)


def read_text(content: bytes) -> pd.DataFrame:
    """Return a CSV file as text in which only empty fields are null."""
    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, na_values=[""])


def read_records(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return JSON objects as a table."""
    return pd.DataFrame(records)


def read_json(content: bytes) -> pd.DataFrame:
    """Return a JSON array of objects as a table."""
    return read_records(json.loads(content))


def read_lines(content: bytes) -> pd.DataFrame:
    """Return JSON Lines as a table."""
    return read_records([json.loads(line) for line in content.splitlines()])


def read_parquet(content: bytes) -> pd.DataFrame:
    """Return a Parquet file as a table, integers with gaps as integers."""
    return pd.read_parquet(io.BytesIO(content), dtype_backend="pyarrow")


def figures(frame: pd.DataFrame) -> Figures:
    """Return the figures of a table."""
    return Figures(
        len(frame), {str(name): column(frame.iloc[:, n]) for n, name in enumerate(frame)}
    )


def column(values: pd.Series) -> Column:
    """Return the figures of a column."""
    present = values.dropna()
    nulls = len(values) - len(present)
    match kind_of(present):
        case "nested":
            return Column("nested", nulls, None)
        case "number":
            finite = present[[math.isfinite(value) for value in present]]
            if not len(finite):
                return Column("number", nulls, int(present.nunique()))
            return Column(
                "number",
                nulls,
                int(present.nunique()),
                *(
                    float(figure)
                    for figure in (finite.min(), finite.max(), finite.mean(), finite.sum())
                ),
            )
        case kind:
            texts = {_text(value, kind) for value in present}
            return Column(
                kind, nulls, len(texts), min(texts, default=None), max(texts, default=None)
            )


def kind_of(present: pd.Series) -> Kind:
    """Return the kind of a column's values."""
    if types.is_bool_dtype(present):
        return "boolean"
    if types.is_numeric_dtype(present):
        return "number"
    kinds = {type(value) for value in present}
    if kinds & {dict, list}:
        return "nested"
    if str in kinds or not kinds:
        return "text"
    if kinds == {bool}:
        return "boolean"
    return "number" if kinds <= {int, float} else "moment"


def _text(value: Any, kind: Kind) -> str:
    if kind == "boolean":
        return str(bool(value)).lower()
    if kind == "moment":
        return moment(value.isoformat())
    return str(value)
