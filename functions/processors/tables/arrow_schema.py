"""Durations in a Parquet file, which only the Arrow schema in its metadata tells from integers.

Parquet has no type for them: pandas, polars and Arrow write integers, and keep the schema beside.
https://github.com/apache/arrow/blob/main/format/Schema.fbs
"""

import struct
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from

_ENCAPSULATED = b"\xff\xff\xff\xff"
_SCHEMA, _DURATION = 1, 18
_DECIMALS = (0, 3, 6, 9)
"""Of a second, by Arrow's units."""
_MILLISECONDS = 1
"""The unit that is not written."""
_MAX_DEPTH, _MAX_FIELDS = 20, 10_000


@dataclass(frozen=True, slots=True)
class Durations:
    """The durations of a table. Columns go by their numbers from 0: names may come twice."""

    names: tuple[str, ...]
    """Of all columns."""
    decimals: dict[int, int]
    """Of each column of durations: how many decimals of a second its integers count."""
    nested: tuple[int, ...]
    """Columns that hold some within lists, structs or maps."""


NO_DURATIONS = Durations((), {}, ())


def durations(schema: bytes) -> Durations:
    """Return the durations that the value of `ARROW:schema` tells of. None where it is damaged."""
    names: list[str] = []
    decimals: dict[int, int] = {}
    nested = []
    try:
        for number, field in enumerate(_fields(b64decode(schema, validate=True))):
            names.append(field.text(0))
            unit = _unit(field)
            if unit is not None:
                decimals[number] = _DECIMALS[unit]
            elif any(_unit(inner) is not None for inner in _within(field)):
                nested.append(number)
    except (Error, struct.error, IndexError, UnicodeDecodeError):
        return NO_DURATIONS
    return Durations(tuple(names), decimals, tuple(nested))


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a flatbuffer, as https://flatbuffers.dev/internals/ says."""

    data: bytes
    at: int

    def place(self, field: int) -> int | None:
        """Return where a field is. None where it is left out."""
        (back,) = unpack_from("<i", self.data, self.at)
        fields = self.at - back
        (size,) = unpack_from("<H", self.data, fields)
        entry = 4 + 2 * field
        (offset,) = unpack_from("<H", self.data, fields + entry) if entry < size else (0,)
        return self.at + offset if offset else None

    def number(self, field: int, form: str, default: int) -> int:
        """Return a number."""
        place = self.place(field)
        return default if place is None else int(unpack_from(form, self.data, place)[0])

    def table(self, field: int) -> "_Table":
        """Return another table."""
        place = self.place(field)
        if place is None:
            raise IndexError
        return _Table(self.data, place + int(unpack_from("<I", self.data, place)[0]))

    def tables(self, field: int) -> "Iterator[_Table]":
        """Yield the tables of a vector."""
        place = self.place(field)
        if place is None:
            return
        start = place + int(unpack_from("<I", self.data, place)[0])
        (count,) = unpack_from("<I", self.data, start)
        if count > _MAX_FIELDS:
            raise IndexError
        for entry in range(start + 4, start + 4 + 4 * count, 4):
            yield _Table(self.data, entry + int(unpack_from("<I", self.data, entry)[0]))

    def text(self, field: int) -> str:
        """Return a text."""
        place = self.place(field)
        if place is None:
            return ""
        start = place + int(unpack_from("<I", self.data, place)[0])
        (size,) = unpack_from("<I", self.data, start)
        return self.data[start + 4 : start + 4 + size].decode()


def _fields(message: bytes) -> Iterator[_Table]:
    start = 8 if message.startswith(_ENCAPSULATED) else 4
    root = _Table(message, start + int(unpack_from("<I", message, start)[0]))
    if root.number(1, "<B", 0) == _SCHEMA:
        yield from root.table(2).tables(1)


def _unit(field: _Table) -> int | None:
    """Return the unit of a field of durations. None of any other."""
    if field.number(2, "<B", 0) != _DURATION:
        return None
    return field.table(3).number(0, "<h", _MILLISECONDS)


def _within(field: _Table, depth: int = 0) -> Iterator[_Table]:
    if depth == _MAX_DEPTH:
        raise IndexError
    for child in field.tables(5):
        yield child
        yield from _within(child, depth + 1)
