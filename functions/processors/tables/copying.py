"""The SQL that writes a table as a file."""

from pathlib import Path

from processors.tables.limits import TableFormat
from processors.tables.plain_values import quoted
from processors.tables.table import Table
from processors.tables.writing import Written, written_sql
from tandem.processing import Permanent


def copy_sql(table: Table, to: TableFormat, target: Path) -> str:
    """Return SQL that writes the table to a file, and gives the number of rows.

    Raises:
        Permanent: a column has no name.
    """
    if not all(column.name for column in table.columns):
        message = "a column has no name"
        raise Permanent(message)
    values, options = written_sql(_columns(table, to), to)
    # The target is in a folder that Python named, without a quote in it.
    return f"COPY (SELECT {values} FROM data) TO '{target}' ({options})"  # noqa: S608


def _columns(table: Table, to: TableFormat) -> list[Written]:
    """Return the columns, those of large integers as BIGINT in Parquet where all values fit.

    DuckDB reads integers of both signs in JSON as HUGEINT.
    """
    columns = [Written(column.name, column.type, quoted(column.name)) for column in table.columns]
    large = [column.sql for column in columns if column.type == "HUGEINT"]
    if to != "parquet" or not large:
        return columns
    fits = ", ".join(
        f"coalesce(min({c}) >= {-(2**63)} AND max({c}) < {2**63}, true)" for c in large
    )
    [found] = table.database.query(f"SELECT {fits} FROM data")  # noqa: S608  # names are quoted
    fitting = {sql for sql, fit in zip(large, found, strict=True) if fit}
    return [
        column._replace(type="BIGINT") if column.sql in fitting else column for column in columns
    ]
