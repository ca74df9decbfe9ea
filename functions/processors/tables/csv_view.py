"""DuckDB's view of a CSV file: text, whose types all rows decide."""

from processors.tables.asked_types import asked_columns, check_names, found_columns
from processors.tables.assumed import NULL_WORDS, Assumed, Widened
from processors.tables.database import Database, Unreadable
from processors.tables.dialect import Dialect, dialect_of
from processors.tables.forms import text
from processors.tables.inference import Rules
from processors.tables.options import ReadOptions
from processors.tables.texts import (
    Rewriting,
    TextFile,
    check_lines,
    encoding_hint,
    has_mixed_line_ends,
)
from tandem.processing import Permanent

_MAX_LINE_BYTES = 2 << 20
_BUFFER_BYTES = 8 << 20


def view_csv(database: Database, file: TextFile, options: ReadOptions) -> Assumed:
    """Make `data` stand for a CSV file, having read it as a whole.

    The file is written anew where DuckDB could not read it as it is.

    Raises:
        Permanent: it cannot be read.
    """
    dialect = dialect_of(file.start, options)
    needs = Rewriting(
        encoding=file.encoding,
        skip=dialect.skip,
        comment=dialect.comment,
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        escape=dialect.escape,
    )
    path = file.path
    if needs.something:
        path = database.rewrite(needs)
    check_lines(path)
    # Where lines end otherwise from the start of one of DuckDB's parts on, it leaves that part out.
    mixed = has_mixed_line_ends(path)
    try:
        try:
            widened = _view(database, dialect, options, in_parts=not mixed)
        except Unreadable:
            if not mixed:
                raise
            database.rewrite(needs.for_line_ends())
            widened = _view(database, dialect, options, in_parts=True)
    except Unreadable as error:
        fault = _first_fault(database, dialect) or error
        reason = fault.further_down(dialect.skip)
        hint = encoding_hint(reason, options.encoding) or dialect.hint(reason)
        raise Permanent(reason + hint) from None
    return Assumed(
        format="csv",
        encoding=file.encoding,
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        escape=dialect.escape,
        header=dialect.header,
        skip=dialect.skip,
        decimal=dialect.decimal,
        nulls=list(NULL_WORDS) if options.nulls is None else options.nulls,
        widened=widened,
        warnings=dialect.warnings,
    )


def _view(
    database: Database, dialect: Dialect, options: ReadOptions, *, in_parts: bool
) -> list[Widened]:
    relation = _relation(dialect, options, in_parts=in_parts)
    rules = Rules(words=options.nulls is None, comma=dialect.decimal == ",")
    texts = {name: f"c{number}" for number, name in enumerate(dialect.names)}
    check_names(options, texts)
    free = [name for name in texts if options.infer and name not in options.types]
    columns, widened = found_columns(
        database, relation, {name: texts[name] for name in free}, rules
    )
    if not free:
        database.query(f"SELECT count(COLUMNS(*)) FROM {relation}")  # noqa: S608  # our own SQL
    rest = {name: x for name, x in texts.items() if name not in columns}
    columns |= asked_columns(database, relation, rest, options, rules)
    database.view(relation, {name: columns[name] for name in texts})
    return widened


def _first_fault(database: Database, dialect: Dialect) -> Unreadable | None:
    """Return the first fault of a file that cannot be read, whichever of several was met first."""
    try:
        relation = _relation(dialect, ReadOptions(), in_parts=False)
        database.query(f"SELECT count(COLUMNS(*)) FROM {relation}")  # noqa: S608  # our own SQL
    except Unreadable as error:
        return error
    return None


def _relation(dialect: Dialect, options: ReadOptions, *, in_parts: bool) -> str:
    """Return SQL for the rows as texts: columns `c0`, `c1` and so on.

    Nothing is left for DuckDB to guess: a guess that is wrong skips lines or misreads numbers, and
    says nothing.
    """
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(dialect.names)))
    nulls = ", ".join(text(word) for word in ("", *(options.nulls or ())))
    return (
        f"read_csv(getvariable('file'), auto_detect = false, columns = {{{columns}}}, "
        f"delim = {text(dialect.delimiter)}, quote = {text(dialect.quote)}, "
        f"escape = {text(dialect.escape)}, header = {str(dialect.header).lower()}, "
        f"nullstr = [{nulls}], skip = 0, comment = '', strict_mode = true, null_padding = false, "
        "ignore_errors = false, compression = 'none', hive_partitioning = false, "
        f"max_line_size = {_MAX_LINE_BYTES}, buffer_size = {_BUFFER_BYTES}, "
        f"parallel = {str(in_parts).lower()})"
    )
