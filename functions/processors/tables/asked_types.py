"""The columns of a relation of texts, whether their types are asked for or found."""

from collections.abc import Collection, Mapping

from processors.tables.assumed import Widened
from processors.tables.column_types import TEXT
from processors.tables.database import Database
from processors.tables.forms import matches, null_word_sql, number_sql
from processors.tables.inference import Rules, infer
from processors.tables.options import ReadOptions
from tandem.processing import Permanent

_OFFSET = "(Z|z| ?(UTC|GMT)|[+-][0-9]{2}(:?[0-9]{2})?)"
"""No other abbreviation: DuckDB takes `BST` for Bangladesh, and `IST` is of several lands."""
_LOOKS = {
    "BIGINT": "[+-]?[0-9]+",
    "HUGEINT": "[+-]?[0-9]+",
    "DOUBLE": "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|[+-]?(?i:inf|infinity|nan)",
    "DATE": "[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}",
    "TIME": "[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?",
    "TIME_NS": "[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?",
    "TIMESTAMP": "[0-9]{4}[^.]*[T ][0-9:]+([.][0-9]{1,6})?|[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}",
    "TIMESTAMP_NS": "[0-9]{4}[^.]*[T ][0-9:]+([.][0-9]{1,9})?|[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "TIMESTAMP WITH TIME ZONE": f"[0-9]{{4}}[^.]*[T ][0-9:]+([.][0-9]{{1,6}})?{_OFFSET}?",
}
"""What a value must look like, beside being cast: a cast would round, or drop an offset."""
_WITHOUT_NULL_WORDS = {TEXT, "BOOLEAN", "UUID"}


def check_names(options: ReadOptions, names: Collection[str]) -> None:
    """Raise Permanent when options name a column that there is not."""
    for name in options.types:
        if name not in names:
            message = f"options.types names a column {name!r}, and the table has none"
            raise Permanent(message)


def found_columns(
    database: Database, relation: str, texts: Mapping[str, str], rules: Rules
) -> tuple[dict[str, str], list[Widened]]:
    """Return SQL for the values of each column, by its name, and which columns had to widen.

    `texts` are the columns as SQL of the relation, which is read once at least.

    Raises:
        Unreadable: the relation cannot be read.
    """
    if not texts:
        return {}, []
    inferred = infer(database, relation, list(texts.values()), rules)
    by_name = dict(zip(texts, inferred, strict=True))
    widened = [column.widened(name) for name, column in by_name.items()]
    return {name: column.sql for name, column in by_name.items()}, [
        column for column in widened if column
    ]


def asked_columns(
    database: Database,
    relation: str,
    texts: Mapping[str, str],
    options: ReadOptions,
    rules: Rules,
) -> dict[str, str]:
    """Return SQL for the values of each column of which options say the type, else text.

    Raises:
        Permanent: a value is not of the type.
    """
    columns = {}
    for name, x in texts.items():
        asked = options.types.get(name, TEXT)
        columns[name] = x
        if asked != TEXT:
            value = _plain(x, asked, comma=rules.comma)
            null = f"{x} IS NULL"
            if rules.words and asked not in _WITHOUT_NULL_WORDS:
                null += f" OR {null_word_sql(x)}"
            columns[name] = f"CASE WHEN NOT ({null}) THEN CAST({value} AS {asked}) END"
            unfit = f"NOT ({null}) AND NOT coalesce({_fit_sql(value, asked)}, false)"
            found = database.query(
                f"SELECT n FROM (SELECT row_number() OVER () AS n, {unfit} AS unfit "  # noqa: S608
                f"FROM {relation}) WHERE unfit LIMIT 1"
            )
            if found:
                where = f"the value of {name!r} in row {found[0][0]}"
                message = f"{where} is no {asked}, as options.types says"
                raise Permanent(message)
    return columns


def _plain(x: str, asked: str, *, comma: bool) -> str:
    trimmed = f"trim({x}, ' ')"
    return number_sql(trimmed, comma=comma and asked.startswith(("DOUBLE", "DECIMAL")))


def _fit_sql(value: str, asked: str) -> str:
    """Return SQL for whether a value is of the type, and nothing of it would be lost."""
    fit = f"TRY_CAST({value} AS {asked}) IS NOT NULL"
    if asked in _LOOKS:
        fit += f" AND {matches(value, _LOOKS[asked])}"
    elif asked.startswith("DECIMAL"):
        scale = asked.rstrip(")").partition(",")[2]
        fit += f" AND {matches(value, f'[+-]?[0-9]*([.][0-9]{{0,{scale}}}0*)?')}"
    if asked == "DOUBLE":
        fit += f" AND (isfinite(TRY_CAST({value} AS DOUBLE)) OR NOT {matches(value, '.*[0-9].*')})"
    return fit
