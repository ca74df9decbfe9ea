"""Tables of any format, read as the processors read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from processors.tables.table import Table, TableInput, open_table
from tandem.processing import Permanent
from tandem.testing import FakeContext


@contextmanager
def opened(filename: str, content: bytes | str, **source: Any) -> Iterator[Table]:
    """Yield an upload's table; `source` is what else the input says of it."""
    data = content.encode() if isinstance(content, str) else content
    context = FakeContext(uploads={"it": (filename, data)})
    with open_table(TableInput(upload="it", **source), context) as table:
        yield table


def types_of(filename: str, content: bytes | str, **source: Any) -> dict[str, str]:
    """Return the type of each column."""
    with opened(filename, content, **source) as table:
        return {column.name: column.type for column in table.columns}


def rows_of(filename: str, content: bytes | str, **source: Any) -> list[tuple[Any, ...]]:
    """Return all rows, dates and times as text."""
    with opened(filename, content, **source) as table:
        columns = [
            f'CAST("{column.name}" AS VARCHAR)'
            if column.type.startswith(("DATE", "TIME"))
            else f'"{column.name}"'
            for column in table.columns
        ]
        return table.database.query(f"SELECT {', '.join(columns)} FROM data")  # noqa: S608


def refusal(filename: str, content: bytes | str, **source: Any) -> str:
    """Return why a table is refused."""
    with pytest.raises(Permanent) as refused, opened(filename, content, **source):
        pass
    return refused.value.reason
