"""DuckDB's view of a Parquet file, with types that keep its values."""

from collections.abc import Mapping, Sequence

from processors.tables.arrow_schema import NO_DURATIONS, Durations, durations
from processors.tables.asked_types import asked_columns, check_names
from processors.tables.assumed import Assumed
from processors.tables.column_types import TEXT
from processors.tables.database import Database
from processors.tables.files import check_width
from processors.tables.inference import Rules
from processors.tables.names import numbered
from processors.tables.options import ReadOptions
from processors.tables.plain_values import quoted
from tandem.processing import Permanent

_MAX_LISTS = 16
"""How deep lists may lie in lists: each level takes DuckDB twice as long, without interrupts."""
_READ = "read_parquet(getvariable('file'), hive_partitioning = false)"


def view_parquet(database: Database, options: ReadOptions) -> Assumed:
    """Make `data` stand for a Parquet file.

    Raises:
        Permanent: it cannot be read, or DuckDB would change values.
    """
    # The first row describes the root: too many columns would take long to bind.
    [(width,)] = database.query(
        "SELECT num_children FROM parquet_schema(getvariable('file')) LIMIT 1"
    )
    check_width(width or 0)
    told = _durations(database)
    written_names = _names(database)
    _refuse_what_would_change(database, options)
    if not options.types and not told.names and all(written_names):
        database.view(_READ)
        return Assumed(format="parquet")
    read = [quoted(name) for name, *_ in database.query(f"DESCRIBE FROM {_READ}")]
    named = (name or f"column{number}" for number, name in enumerate(written_names))
    columns = dict(zip(numbered(list(named)), read, strict=True))
    check_names(options, columns)
    written = _written_durations(told, written_names, columns, options)
    texts = {
        name: written.get(name) or f"CAST({columns[name]} AS VARCHAR)" for name in options.types
    }
    asked = asked_columns(database, _READ, texts, options, Rules(words=False))
    database.view(_READ, columns | written | asked)
    return Assumed(format="parquet")


def _names(database: Database) -> list[str]:
    """Return the names of the columns as the file has them.

    Raises:
        Permanent: lists lie too deep in lists.
    """
    names: list[str] = []
    left: list[tuple[int, int]] = []  # of each open group: members to come, lists around them
    for name, children, repetition in database.query(
        "SELECT name, coalesce(num_children, 0), repetition_type "
        "FROM parquet_schema(getvariable('file'))"
    ):
        while left and left[-1][0] == 0:
            left.pop()
        depth = 0
        if left:
            if len(left) == 1:
                names.append(name)
            members, around = left.pop()
            left.append((members - 1, around))
            depth = around + (repetition == "REPEATED")
        if depth > _MAX_LISTS:
            message = f"a column has lists within lists, more than {_MAX_LISTS} deep"
            raise Permanent(message)
        left.append((children, depth))
    return names


def _durations(database: Database) -> Durations:
    found = database.query(
        "SELECT value FROM parquet_kv_metadata(getvariable('file')) "
        "WHERE key = 'ARROW:schema'::BLOB"
    )
    if not found or not found[0][0]:
        return NO_DURATIONS
    told = durations(found[0][0])
    return told if told.decimals or told.nested else NO_DURATIONS


def _written_durations(
    told: Durations, written_names: list[str], columns: Mapping[str, str], options: ReadOptions
) -> dict[str, str]:
    """Return SQL for each column of durations as text in ISO 8601, by its name.

    Raises:
        Permanent: a nested value holds durations, or it is not clear which column does.
    """
    names = list(columns)
    places = {n: _place(n, told.names, written_names) for n in (*told.nested, *told.decimals)}
    found = {n: names[place] for n, place in places.items() if place is not None}
    left = [found[n] for n in told.nested if n in found and found[n] not in options.types]
    if left:
        message = (
            f"the column {min(left)[:100]!r} holds durations within nested values, whose unit "
            "would be lost: write them as text"
        )
        raise Permanent(message)
    return {
        found[n]: _duration_sql(columns[found[n]], decimals)
        for n, decimals in told.decimals.items()
        if n in found and options.types.get(found[n], TEXT) == TEXT
    }


def _place(number: int, told_names: Sequence[str], written_names: Sequence[str]) -> int | None:
    """Return the number in the file of a column of the Arrow schema. None where it has gone.

    Raises:
        Permanent: the schema is not the file's own, and several columns have the name.
    """
    if list(told_names) == list(written_names):
        return number
    name = told_names[number]
    if name not in written_names:
        return None
    if told_names.count(name) > 1 or written_names.count(name) > 1:
        message = f"it is not clear which columns {name[:100]!r} hold durations: write it anew"
        raise Permanent(message)
    return written_names.index(name)


def _duration_sql(column: str, decimals: int) -> str:
    whole, unit = f"abs(CAST({column} AS HUGEINT))", 10**decimals
    parts = f"rtrim(lpad(CAST({whole} % {unit} AS VARCHAR), {decimals}, '0'), '0')"
    return (
        f"CASE WHEN {column} IS NULL THEN NULL ELSE "
        f"CASE WHEN {column} < 0 THEN '-' ELSE '' END || 'PT' || {whole} // {unit} || "
        f"CASE WHEN {whole} % {unit} = 0 THEN '' ELSE '.' || {parts} END || 'S' END"
    )


def _refuse_what_would_change(database: Database, options: ReadOptions) -> None:
    for name, kind, precision in database.query(
        "SELECT name, type, precision FROM parquet_schema(getvariable('file')) "
        "WHERE type = 'INT96' OR precision > 38"
    ):
        if options.types.get(name) == ("TIMESTAMP" if kind == "INT96" else "DOUBLE"):
            continue
        if kind == "INT96":
            message = (
                "a column has times of the old type INT96, of which nanoseconds would be lost: "
                "write it with INT64, or give its type as timestamp in options.types"
            )
            raise Permanent(message)
        message = (
            f"a column has decimals of {precision} digits, and 38 is the most: write it as text or "
            "with fewer digits, or give its type as number in options.types"
        )
        raise Permanent(message)
