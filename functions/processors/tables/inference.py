"""Which type each column of a relation of texts has: found in one pass, or two."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.tables.assumed import VALUE_CHARACTERS, Widened
from processors.tables.column_types import (
    TEXT,
    Digits,
    kind_of,
    needs_digits,
    only_text,
    type_of,
    value_sql,
)
from processors.tables.database import Database
from processors.tables.forms import (
    INTEGERS,
    NO_FORM,
    NUMBERS,
    SPELLINGS,
    Form,
    form_sql,
    number_sql,
    usual_sql,
)

_SAMPLE_ROWS = 1000
_BESIDE = Form.PADDED | Form.FAR | Form.NULL_WORD
_USUAL = (Form.INTEGER, Form.DATE, Form.MOMENT, Form.INSTANT, *SPELLINGS)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a text can be."""

    words: bool = True
    """Whether there are words for null."""
    numbers: bool = True
    """Whether it can be a number or a boolean, beside a date or a time."""
    comma: bool = False
    """Whether decimals stand behind a comma."""

    def form_sql(self, x: str) -> str:
        """Return SQL for the form of a value."""
        return form_sql(x, words=self.words, numbers=self.numbers, comma=self.comma)


@dataclass(slots=True)
class Inferred:
    """What is known of a column of texts."""

    name: str
    """As SQL of the relation."""
    forms: Form = NO_FORM
    first: Form = NO_FORM
    """The form of its first value, if that is among the first rows."""
    type: str = TEXT
    sql: str = field(default="")
    """Its values, as SQL."""


def infer(database: Database, relation: str, names: Sequence[str], rules: Rules) -> list[Inferred]:
    """Return the types of a relation's columns of texts, having read it as a whole.

    Raises:
        Unreadable: the relation cannot be read.
    """
    columns = [Inferred(name) for name in names]
    _look_at_sample(database, relation, columns, rules)
    doubtful = _look_at_all(database, relation, columns, rules)
    if doubtful:
        found = dict(
            database.query(
                f"SELECT c, bit_or({rules.form_sql('v')}) "  # noqa: S608  # our own names
                f"FROM ({_unpivoted(relation, doubtful)}) GROUP BY c"
            )
        )
        for column in doubtful:
            column.forms = Form(found.get(column.name, 0))
    digits = _digits(database, relation, [one for one in columns if needs_digits(one.forms)], rules)
    for column in columns:
        column.type = type_of(column.forms, digits.get(column.name))
        column.sql = value_sql(column.name, column.type, column.forms, comma=rules.comma)
    return columns


def _unpivoted(relation: str, columns: Sequence[Inferred]) -> str:
    """Return SQL for the values, a row each: one expression then serves any number of columns."""
    listed = ", ".join(column.name for column in columns)
    return f"UNPIVOT (SELECT {listed} FROM {relation}) ON {listed} INTO NAME c VALUE v"  # noqa: S608


def _look_at_sample(
    database: Database, relation: str, columns: Sequence[Inferred], rules: Rules
) -> None:
    listed = ", ".join(column.name for column in columns)
    rows = f"SELECT row_number() OVER () AS n, {listed} FROM (FROM {relation} LIMIT {_SAMPLE_ROWS})"  # noqa: S608
    found = database.query(
        f"SELECT c, bit_or(f), arg_min(f, n) FILTER (f <> {Form.NULL_WORD:d}) FROM ("  # noqa: S608
        f"SELECT c, n, {rules.form_sql('v')} AS f FROM ("
        f"UNPIVOT ({rows}) ON {listed} INTO NAME c VALUE v)) GROUP BY c"
    )
    by_name = {column.name: column for column in columns}
    for name, forms, first in found:
        by_name[name].forms, by_name[name].first = Form(forms), Form(first or 0)


def _look_at_all(
    database: Database, relation: str, columns: Sequence[Inferred], rules: Rules
) -> list[Inferred]:
    """Return the columns that need a closer look: not all values have the look of the first."""
    checks = []
    for column in columns:
        sql = None if only_text(column.forms) else _usual_sql(column, rules)
        counted = f"count({column.name})"
        checks.append(counted if sql is None else f"count(*) FILTER (NOT ({sql}))")
    [(_, *counts)] = database.query(f"SELECT count(*), {', '.join(checks)} FROM {relation}")  # noqa: S608
    return [
        column
        for column, count in zip(columns, counts, strict=True)
        if count and not only_text(column.forms)
    ]


def _usual_sql(column: Inferred, rules: Rules) -> str | None:
    if column.forms & Form.DECIMAL and not column.forms & ~(Form.DECIMAL | Form.INTEGER):
        return usual_sql(column.name, Form.DECIMAL, comma=rules.comma)
    if column.forms in _USUAL:
        return usual_sql(column.name, column.forms, comma=rules.comma)
    return None


def _digits(
    database: Database, relation: str, columns: Sequence[Inferred], rules: Rules
) -> dict[str, Digits]:
    if not columns:
        return {}
    number = number_sql("trim(v, ' ')", comma=rules.comma)
    numbers = f"{rules.form_sql('v')} & {NUMBERS:d} <> 0"
    found = database.query(
        f"SELECT c, max(strlen(ltrim(split_part({number}, '.', 1), '-0'))) FILTER ({numbers}), "  # noqa: S608
        f"max(strlen(rtrim(split_part({number}, '.', 2), '0'))) FILTER ({numbers}) "
        f"FROM ({_unpivoted(relation, columns)}) GROUP BY c"
    )
    return {name: Digits(whole, decimals) for name, whole, decimals in found}


def find_widened(
    database: Database,
    relation: str,
    columns: Sequence[Inferred],
    names: Sequence[str],
    rules: Rules,
) -> list[Widened]:
    """Return the columns whose first value would do with a narrower type, and why they have not it.

    `names` are those that the caller knows.
    """
    suspects = [
        (column, name, deciding)
        for column, name in zip(columns, names, strict=True)
        if (deciding := _deciding(column))
    ]
    if not suspects:
        return []
    columns_sql = ", ".join(column.name for column, _, _ in suspects)
    deciding_sql = ", ".join(f"('{column.name}', {forms:d})" for column, _, forms in suspects)
    found = {
        c: (row, value)
        for c, row, value in database.query(
            f"SELECT c, min(n), arg_min(left(v, {VALUE_CHARACTERS}), n) FROM "  # noqa: S608
            f"(UNPIVOT (SELECT row_number() OVER () AS n, {columns_sql} FROM {relation}) "
            f"ON {columns_sql} INTO NAME c VALUE v) JOIN (VALUES {deciding_sql}) AS d(c, forms) "
            f"USING (c) WHERE ({rules.form_sql('v')}) & forms <> 0 GROUP BY c"
        )
    }
    return [
        Widened(column=name, type=column.type, row=row, value=value)
        for column, name, _ in suspects
        for row, value in [found[column.name]]
    ]


def _deciding(column: Inferred) -> Form | None:
    """Return the forms of which one made the type wider than the first value's, if it is wider."""
    first = column.first & ~Form.INEXACT
    if type_of(first) in {TEXT, column.type}:
        return None
    if column.type == TEXT:
        return _deciding_for_text(column.forms, first)
    if column.type == "HUGEINT":
        return Form.OVER_64_BITS
    if column.type.startswith("DECIMAL"):
        return Form.INEXACT
    return column.forms & ~(first | INTEGERS | _BESIDE)


def _deciding_for_text(forms: Form, first: Form) -> Form:
    if Form.OTHER in forms:
        return Form.OTHER
    others = forms & ~(kind_of(first) or NO_FORM) & ~_BESIDE
    return others or forms & (Form.OVER_128_BITS | Form.INEXACT | Form.FAR | Form.NULL_WORD)
