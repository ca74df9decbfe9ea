"""How DuckDB reads each format: as the view `data`."""

from pathlib import Path

from processors.tables.database import Database, Unreadable
from processors.tables.files import MAX_COLUMNS, TableFormat, check_width, csv_dialect
from tandem.processing import Permanent


def create_view(kind: TableFormat, database: Database, file: Path) -> None:
    """Make `data` stand for the database's file, having shown that it can be read.

    Raises:
        Permanent: it cannot.
    """
    match kind:
        case "csv":
            _view_csv(database, file)
        case "jsonl":
            _view_jsonl(database)
        case "parquet":
            _view_parquet(database)


def _view_csv(database: Database, file: Path) -> None:
    # Every option that DuckDB would otherwise guess from the content, but the types, is given:
    # a guess that is wrong skips lines or misreads numbers, and says nothing.
    delimiter, width = csv_dialect(file)
    reader = (
        f"read_csv(getvariable('file'), delim = '{delimiter}', header = true, quote = '\"', "
        "escape = '\"', skip = 0, comment = '', strict_mode = true, null_padding = false, "
        "ignore_errors = false, dateformat = '%Y-%m-%d', compression = 'none', "
        "hive_partitioning = false, max_line_size = 2097152, buffer_size = 8388608, {})"
    )
    try:
        database.view(reader.format("auto_detect = true"))
        database.query("SELECT count(COLUMNS(*)) FROM data")
    except Unreadable as error:
        if error.kind == "ConversionException":  # a type that only the first lines have
            database.view(reader.format("sample_size = -1"))
            return
        # What guesses types gives up without saying where: read it as text, which says.
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(width))
        database.view(reader.format(f"auto_detect = false, columns = {{{columns}}}"))
        database.query("SELECT count(*) FROM data")
        raise


def _view_jsonl(database: Database) -> None:
    [(stray,)] = database.query(
        "SELECT min(n) FROM (SELECT row_number() OVER () AS n, json FROM "
        "read_ndjson_objects(getvariable('file'), compression = 'uncompressed')) "
        "WHERE json_type(json) <> 'OBJECT'"
    )
    if stray is not None:
        message = f"record {stray} is not a JSON object"
        raise Permanent(message)
    try:
        # A larger object would be taken as one column of the type MAP, hence the threshold.
        database.view(
            "read_json(getvariable('file'), format = 'newline_delimited', records = true, "
            "compression = 'uncompressed', hive_partitioning = false, sample_size = -1, "
            f"maximum_depth = 2, map_inference_threshold = {MAX_COLUMNS})"
        )
    except Unreadable as error:
        if error.kind == "BinderException":
            message = f"the objects must have 1 to {MAX_COLUMNS} different keys, none of them empty"
            raise Permanent(message) from None
        raise


def _view_parquet(database: Database) -> None:
    # The first row describes the root: too many columns would take long to bind.
    [(width,)] = database.query(
        "SELECT num_children FROM parquet_schema(getvariable('file')) LIMIT 1"
    )
    check_width(width or 0)
    database.view("read_parquet(getvariable('file'), hive_partitioning = false)")
