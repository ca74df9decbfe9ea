"""The comparison of a table with the files that it was converted to."""

from collections.abc import Iterator

from tandem_tools.check.tables import processed, reference
from tandem_tools.check.tables.changed_values import changed_fields, changed_records
from tandem_tools.check.tables.figures import Figures, differing


def round_trips(file: str, content: bytes, ours: Figures) -> Iterator[str]:
    """Yield a line on each thing that a conversion changed."""
    lines = processed.converted(file, content, "jsonl")
    parquet = processed.converted(file, content, "parquet")
    written = processed.converted(file, content, "csv")
    if file.endswith(".csv"):
        kinds = [column.kind for column in ours.columns.values()]
        yield from changed_fields(content, written, list(ours.columns), kinds)
    else:
        yield from changed_records(content, lines)
    if lines:
        read = reference.figures(reference.read_lines(lines))
        yield from _changed_figures("JSON Lines", ours, read)
    read = reference.figures(reference.read_parquet(parquet))
    yield from _changed_figures("Parquet", ours, read)
    for to, middle in (("jsonl", lines), ("parquet", parquet)):
        if not middle:  # JSON Lines of a table without rows say nothing of its columns
            continue
        if processed.converted(f"table.{to}", middle, "csv") != written:
            yield f"csv → {to} → csv is not csv → csv"


def _changed_figures(to: str, ours: Figures, theirs: Figures) -> Iterator[str]:
    if (ours.rows, list(ours.columns)) != (theirs.rows, list(theirs.columns)):
        yield f"{to} has {theirs.rows} rows and the columns {list(theirs.columns)}"
        return
    for name, column in ours.columns.items():
        other = theirs.columns[name]
        if column.nulls == ours.rows:  # JSON says of nulls alone neither type nor anything else
            differs = ["nulls"] if other.nulls != column.nulls else []
        else:
            differs = list(differing(column, other))
        if differs:
            yield f"{to}, {name!r}: {' '.join(differs)} differ: {column}, {other}"
