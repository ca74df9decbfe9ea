"""DuckDB's view of JSON: one object a line, an array of them, or one after another."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from processors.tables.asked_types import asked_columns, check_names, found_columns
from processors.tables.assumed import NULL_WORDS, Assumed, Widened
from processors.tables.database import Database, Unreadable
from processors.tables.files import check_width
from processors.tables.forms import text
from processors.tables.inference import Rules
from processors.tables.json_faults import first_fault
from processors.tables.json_types import INTEGERS, has_double, type_of
from processors.tables.limits import MAX_COLUMNS
from processors.tables.names import folded, numbered
from processors.tables.options import ReadOptions
from processors.tables.plain_values import quoted
from processors.tables.texts import Rewriting, TextFile, encoding_hint
from tandem.processing import Permanent, TaskContext

Layout = Literal["newline_delimited", "array", "unstructured"]

_LONG = "[0-9.]{16}|[0-9][eE][+-]?[0-9]{3}"
"""What a number looks like that a double, or 64 bits, may not hold."""
_STRING = r'"(?:\\.|[^"\\])*"'
_NUMBER = "-?[0-9][0-9.eE+-]*"


@dataclass(frozen=True, slots=True)
class _Objects:
    """What all objects of a file have in common."""

    layout: Layout
    structure: dict[str, Any]
    long_numbers: bool
    exact: bool
    """Whether a double holds each number that is no integer."""
    inexact_keys: set[str]
    """Keys of nested values with integers that would be doubles, and no double holds."""


def view_json(
    database: Database, file: TextFile, options: ReadOptions, ctx: TaskContext
) -> Assumed:
    """Make `data` stand for a JSON file, having read it as a whole.

    Raises:
        Permanent: it cannot be read.
    """
    path = file.path
    if file.marked or file.encoding != "utf-8":
        encoding = "utf-8-sig" if file.encoding == "utf-8" else file.encoding
        path = database.rewrite(Rewriting(encoding))
    layout = layout_of(file.start)
    try:
        try:
            objects = _objects(database, layout)
        except Unreadable:
            if layout != "newline_delimited":
                raise
            objects = _objects(database, "unstructured")
        widened = _view(database, objects, options)
    except Unreadable as error:
        reason = first_fault(path, layout, ctx) or error.reason
        raise Permanent(reason + encoding_hint(reason, options.encoding)) from None
    return Assumed(
        format="jsonl" if objects.layout == "newline_delimited" else "json",
        encoding=file.encoding,
        nulls=list(NULL_WORDS) if options.nulls is None else options.nulls,
        widened=widened,
    )


def layout_of(start: str) -> Layout:
    """Return how the objects of a file stand in it."""
    text_start = start.lstrip()
    if text_start.startswith("["):
        return "array"
    line, end, _ = text_start.partition("\n")
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return "unstructured" if end else "newline_delimited"
    return "newline_delimited"


def _read(layout: Layout) -> str:
    return (
        f"read_json_objects(getvariable('file'), format = '{layout}', "
        "compression = 'uncompressed', hive_partitioning = false)"
    )


def _objects(database: Database, layout: Layout) -> _Objects:
    """Return what the objects of the file have in common, having shown that they are objects.

    Raises:
        Permanent: they are not, or have too many keys.
        Unreadable: the file is no JSON.
    """
    # The aggregate keeps memory for every object that it is given: it is given one of each kind.
    [(stray, structure, long_numbers)] = database.query(
        "SELECT min(stray), json_group_structure(json), bool_or(long) FROM ("  # noqa: S608  # ours
        "SELECT min(n) FILTER (json_type(json) <> 'OBJECT') AS stray, first(json) AS json, "
        f"bool_or(regexp_matches(json, '{_LONG}')) AS long "
        f"FROM (SELECT row_number() OVER () AS n, json FROM {_read(layout)}) "
        "GROUP BY json_structure(json))"
    )
    if stray is not None:
        message = f"record {stray} is not a JSON object"
        raise Permanent(message)
    try:
        keys = json.loads(structure) if structure else {}
    except RecursionError:
        message = "a value is nested too deeply"
        raise Permanent(message) from None
    if any("\x00" in key for key in keys):
        message = "the name of a column has a NUL character"
        raise Permanent(message)
    if not isinstance(keys, dict) or not keys or "" in keys:
        message = f"the objects must have 1 to {MAX_COLUMNS} different keys, none of them empty"
        raise Permanent(message)
    check_width(len(keys))
    if not long_numbers:
        return _Objects(layout, keys, long_numbers=False, exact=True, inexact_keys=set())
    return _Objects(
        layout,
        keys,
        long_numbers=True,
        exact=_exact(database, layout),
        inexact_keys=_inexact_keys(database, layout, keys),
    )


def _exact(database: Database, layout: Layout) -> bool:
    """Return whether a double holds each number that has a point or an exponent."""
    number = "n"
    bare = f"regexp_replace(json, '{_STRING}', '', 'g')"
    digits = "rtrim(ltrim(replace(split_part(lower({}), 'e', 1), '.', ''), '-0'), '0')"
    double = f"CAST(TRY_CAST({number} AS DOUBLE) AS VARCHAR)"
    [(inexact,)] = database.query(
        f"SELECT bool_or({digits.format(number)} <> {digits.format(double)}) FROM ("  # noqa: S608
        f"SELECT unnest(regexp_extract_all({bare}, '{_NUMBER}')) AS n FROM {_read(layout)} "
        f"WHERE regexp_matches(json, '{_LONG}')) "
        "WHERE regexp_matches(n, '[.eE]')"
    )
    return not inexact


def _inexact_keys(database: Database, layout: Layout, keys: Mapping[str, Any]) -> set[str]:
    """Return the keys of nested values with integers that would be doubles, and no double holds."""
    nested = [
        key for key, value in keys.items() if not isinstance(value, str) and has_double(value)
    ]
    if not nested:
        return set()
    same = "TRY_CAST(TRY_CAST(n AS DOUBLE) AS HUGEINT) = TRY_CAST(n AS HUGEINT)"
    lost = f"strlen(n) > 15 AND regexp_full_match(n, '-?[0-9]+') AND NOT coalesce({same}, false)"
    checks = []
    for key in nested:
        bare = f"regexp_replace(CAST(json -> {_pointer(key)} AS VARCHAR), '{_STRING}', '', 'g')"
        found = f"list_filter(regexp_extract_all({bare}, '{_NUMBER}'), lambda n: {lost})"
        checks.append(f"bool_or(len({found}) > 0)")
    [row] = database.query(
        f"SELECT {', '.join(checks)} FROM {_read(layout)} WHERE regexp_matches(json, '{_LONG}')"  # noqa: S608
    )
    return {key for key, found in zip(nested, row, strict=True) if found}


def _view(database: Database, objects: _Objects, options: ReadOptions) -> list[Widened]:
    keys = list(objects.structure)
    names = dict(zip(keys, numbered(keys), strict=True))
    check_names(options, names.values())
    asked = [key for key in keys if not options.infer or names[key] in options.types]
    strings = [key for key in keys if key not in asked and objects.structure[key] == "VARCHAR"]
    numbers = [
        key
        for key in keys
        if key not in asked
        and objects.long_numbers
        and objects.structure[key] in (*INTEGERS, "DOUBLE")
    ]
    types = {
        key: type_of(
            value,
            long_numbers=objects.long_numbers,
            exact=objects.exact and key not in objects.inexact_keys,
        )
        for key, value in objects.structure.items()
    } | dict.fromkeys(asked + strings + numbers, "VARCHAR")
    null_keys = strings if options.nulls else []
    if not objects.exact or any(objects.structure[key] != "VARCHAR" for key in asked):
        _refuse_same_keys(database, objects.layout)
        values = _values_as_written(types, exact=objects.exact)
        numbers_quoted = f"CAST({_numbers_quoted('json')} AS JSON)"
        source = f"(SELECT json, {numbers_quoted} AS quoted FROM {_read(objects.layout)})"  # noqa: S608
    elif len({folded(key) for key in keys}) < len(keys):
        _refuse_same_keys(database, objects.layout)
        values = _values_as_written(types, exact=True)
        source = f"(SELECT json, json AS quoted FROM {_read(objects.layout)})"  # noqa: S608
    else:
        values = {key: quoted(key) for key in keys}
        source = _read_columns(objects.layout, types)
    relation = _relation(source, values, null_keys, options.nulls or ())
    texts = {key: f"c{number}" for number, key in enumerate(keys)}

    def named(some: list[str]) -> dict[str, str]:
        return {names[key]: texts[key] for key in some}

    columns = named(keys)
    words = Rules(words=options.nulls is None, numbers=False)
    found, widened = found_columns(database, relation, named(strings), words)
    columns |= found
    found, more = found_columns(database, relation, named(numbers), Rules(words=False))
    columns |= found
    columns |= asked_columns(database, relation, named(asked), options, words)
    database.view(relation, columns)
    database.query("SELECT count(COLUMNS(*)) FROM data")
    return widened + more


def _relation(
    source: str, values: Mapping[str, str], null_keys: Collection[str], nulls: Sequence[str]
) -> str:
    """Return SQL for the objects' values: columns `c0`, `c1` and so on."""
    words = " ".join(f"WHEN {text(word)} THEN NULL" for word in nulls)
    listed = ", ".join(
        # Not IN: DuckDB makes a join of every list, and each join takes memory.
        (f"CASE {value} {words} ELSE {value} END" if key in null_keys else value) + f" AS c{number}"
        for number, (key, value) in enumerate(values.items())
    )
    return f"(SELECT {listed} FROM {source})"  # noqa: S608  # keys and words are quoted


def _read_columns(layout: Layout, types: Mapping[str, str]) -> str:
    columns = ", ".join(f"{text(key)}: {text(kind)}" for key, kind in types.items())
    return (
        f"read_json(getvariable('file'), auto_detect = false, columns = {{{columns}}}, "
        f"format = '{layout}', records = true, compression = 'uncompressed', "
        "hive_partitioning = false)"
    )


def _refuse_same_keys(database: Database, layout: Layout) -> None:
    """Raise Permanent when an object has a key twice: of both, one would be taken."""
    keys = "json_keys(json)"
    [(twice,)] = database.query(
        f"SELECT bool_or(len({keys}) <> len(list_distinct({keys}))) FROM {_read(layout)}"  # noqa: S608
    )
    if twice:
        message = "an object has the same key twice"
        raise Permanent(message)


def _pointer(key: str) -> str:
    return text("/" + key.replace("~", "~0").replace("/", "~1"))


def _values_as_written(types: Mapping[str, str], *, exact: bool) -> dict[str, str]:
    """Return SQL for the values of `json`, and of `quoted`, whose numbers are texts."""
    source = "json" if exact else "quoted"
    values = {}
    for key, kind in types.items():
        pointer = _pointer(key)
        if kind == "VARCHAR":
            nested = f"json_type(json, {pointer}) IN ('OBJECT', 'ARRAY')"
            values[key] = (
                f"CASE WHEN {nested} THEN {source} ->> {pointer} ELSE quoted ->> {pointer} END"
            )
        elif kind == "JSON":
            values[key] = f"{source} -> {pointer}"
        else:
            values[key] = f"CAST({source} -> {pointer} AS {kind})"
    return values


def _numbers_quoted(source: str) -> str:
    """Return SQL for a JSON text, its numbers made strings, so that they keep all their digits."""
    parts = f"regexp_extract_all({source}, '{_STRING}|{_NUMBER}|[^\"0-9-]+|-')"
    quoted_number = """'"' || part || '"'"""
    return (
        f"array_to_string(list_transform({parts}, lambda part: "
        f"CASE WHEN regexp_matches(part, '^-?[0-9]') THEN {quoted_number} ELSE part END), '')"
    )
