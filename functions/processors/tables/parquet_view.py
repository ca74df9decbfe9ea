"""DuckDB's view of a Parquet file, with types that keep its values."""

from processors.tables.arrow_schema import durations
from processors.tables.asked_types import asked_columns, check_names
from processors.tables.assumed import Assumed
from processors.tables.column_types import TEXT
from processors.tables.database import Database
from processors.tables.files import check_width
from processors.tables.inference import Rules
from processors.tables.options import ReadOptions
from processors.tables.plain_values import quoted
from tandem.processing import Permanent

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
    _refuse_what_would_change(database, options)
    written = _durations(database, options)
    if not options.types and not written:
        database.view(_READ)
        return Assumed(format="parquet")
    names = [name for name, *_ in database.query(f"DESCRIBE FROM {_READ}")]
    check_names(options, names)
    texts = {
        name: written.get(name) or f"CAST({quoted(name)} AS VARCHAR)" for name in options.types
    }
    asked = asked_columns(database, _READ, texts, options, Rules(words=False))
    written = {name: sql for name, sql in written.items() if name in names}
    database.view(_READ, {name: quoted(name) for name in names} | written | asked)
    return Assumed(format="parquet")


def _durations(database: Database, options: ReadOptions) -> dict[str, str]:
    """Return SQL for each column of durations as text in ISO 8601, by its name.

    Raises:
        Permanent: a nested value holds durations.
    """
    found = database.query(
        "SELECT value FROM parquet_kv_metadata(getvariable('file')) "
        "WHERE key = 'ARROW:schema'::BLOB"
    )
    if not found or not found[0][0]:
        return {}
    told = durations(found[0][0])
    if left := sorted(set(told.nested) - options.types.keys()):
        message = (
            f"the column {left[0][:100]!r} holds durations within nested values, whose unit would "
            "be lost: write them as text"
        )
        raise Permanent(message)
    return {
        name: _duration_sql(quoted(name), decimals)
        for name, decimals in told.decimals.items()
        if options.types.get(name, TEXT) == TEXT
    }


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
