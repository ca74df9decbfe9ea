"""Which type each column of a relation of texts has: found in one pass, or two."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched

from processors.tables.assumed import VALUE_CHARACTERS, Widened
from processors.tables.column_types import (
    TEXT,
    Digits,
    deciding,
    needs_digits,
    only_text,
    type_of,
    value_sql,
)
from processors.tables.database import Database
from processors.tables.forms import (
    NO_FORM,
    SPELLINGS,
    Form,
    form_sql,
    null_word_sql,
    number_sql,
    usual_sql,
)

_SAMPLE_VALUES = 50_000
_SAMPLE_ROWS = (100, 1000)
"""The fewest and the most that are looked at before all are."""
_COLUMNS_AT_ONCE = 125
"""One pass looks at so many: the SQL of each takes memory."""
_USUAL = (Form.DECIMAL, Form.INTEGER, Form.DATE, Form.MOMENT, Form.INSTANT, *SPELLINGS)
_NUMBERED = "row_number() OVER () AS n"


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
    firsts: dict[Form, tuple[int, str]] = field(default_factory=dict)
    """The first row of each form that was met, and its value."""
    usual: Form | None = None
    """The form whose usual look its values may have."""
    type: str = TEXT
    sql: str = ""
    """Its values, as SQL."""

    @property
    def forms(self) -> Form:
        """The forms of its values, all together."""
        forms = NO_FORM
        for form in self.firsts:
            forms |= form
        return forms

    def usual_sql(self, rules: Rules) -> str | None:
        """Return SQL for whether a value has the usual look of the column, if it has one."""
        return usual_sql(self.name, self.usual, comma=rules.comma) if self.usual else None

    def meet(self, form: Form, row: int, value: str) -> None:
        """Note that a row has a value of a form."""
        self.firsts[form] = min(self.firsts.get(form, (row, value)), (row, value))

    def widened(self, name: str) -> Widened | None:
        """Return which value made the type wider than the first value needs, if one did."""
        values = {form: met for form, met in self.firsts.items() if form != Form.NULL_WORD}
        if not values:
            return None
        first = min(values, key=values.__getitem__)
        wanted = deciding(self.type, self.forms, first)
        found = [met for form, met in self.firsts.items() if form & wanted]
        if not found:
            return None
        row, value = min(found)
        return Widened(column=name, type=self.type, row=row, value=value)


def infer(database: Database, relation: str, names: Sequence[str], rules: Rules) -> list[Inferred]:
    """Return the types of a relation's columns of texts, having read it as a whole.

    Raises:
        Unreadable: the relation cannot be read.
    """
    columns = [Inferred(name) for name in names]
    _look_at_first_rows(database, relation, columns, rules)
    if doubtful := _look_at_all(database, relation, columns, rules):
        _meet(database, _unusual(relation, doubtful, rules), doubtful, rules)
    digits = _digits(
        database, relation, [column for column in columns if needs_digits(column.forms)], rules
    )
    for column in columns:
        column.type = type_of(column.forms, digits.get(column.name))
        column.sql = value_sql(column.name, column.type, column.forms, comma=rules.comma)
    return columns


def _look_at_first_rows(
    database: Database, relation: str, columns: Sequence[Inferred], rules: Rules
) -> None:
    limit = min(max(_SAMPLE_ROWS[0], _SAMPLE_VALUES // len(columns)), _SAMPLE_ROWS[1])
    listed = ", ".join(column.name for column in columns)
    rows = f"SELECT {_NUMBERED}, {listed} FROM (FROM {relation} LIMIT {limit})"  # noqa: S608
    _meet(database, _values(rows, columns), columns, rules)
    for column in columns:
        column.usual = next((form for form in _USUAL if form in column.forms), None)


def _look_at_all(
    database: Database, relation: str, columns: Sequence[Inferred], rules: Rules
) -> list[Inferred]:
    """Return the columns that need a closer look: not all values have the usual look."""
    doubtful = []
    for some in batched(columns, _COLUMNS_AT_ONCE, strict=False):
        counts = [f"count({column.name})" for column in some]
        for number, column in enumerate(some):
            if (usual := column.usual_sql(rules)) and not only_text(column.forms):
                counts[number] += f" - count(*) FILTER ({usual})"
        [(_, *found)] = database.query(f"SELECT count(*), {', '.join(counts)} FROM {relation}")  # noqa: S608
        doubtful += [
            column
            for column, count in zip(some, found, strict=True)
            if count and not only_text(column.forms)
        ]
    return doubtful


def _unusual(relation: str, columns: Sequence[Inferred], rules: Rules) -> str:
    """Return SQL for the values that have not the usual look of their columns, with their rows."""
    values = []
    for column in columns:
        usual = column.usual_sql(rules)
        value = f"CASE WHEN {usual} THEN NULL ELSE {column.name} END" if usual else column.name
        values.append(f"{value} AS {column.name}")
    return _values(f"SELECT {_NUMBERED}, {', '.join(values)} FROM {relation}", columns)  # noqa: S608


def _values(rows: str, columns: Sequence[Inferred]) -> str:
    """Return SQL for the values, a row each: one expression then serves any number of columns."""
    listed = ", ".join(column.name for column in columns)
    return f"UNPIVOT ({rows}) ON {listed} INTO NAME c VALUE v"


def _meet(database: Database, values: str, columns: Sequence[Inferred], rules: Rules) -> None:
    by_name = {column.name: column for column in columns}
    for name, form, row, value in database.query(
        f"SELECT c, f, min(n), arg_min(left(v, {VALUE_CHARACTERS}), n) FROM "  # noqa: S608
        f"(SELECT c, n, v, {rules.form_sql('v')} AS f FROM ({values})) GROUP BY c, f"
    ):
        by_name[name].meet(Form(form), row, value)


def _digits(
    database: Database, relation: str, columns: Sequence[Inferred], rules: Rules
) -> dict[str, Digits]:
    if not columns:
        return {}
    listed = ", ".join(column.name for column in columns)
    values = _values(f"SELECT {listed} FROM {relation}", columns)  # noqa: S608  # our own names
    number = number_sql("trim(v, ' ')", comma=rules.comma)
    found = database.query(
        f"SELECT c, max(strlen(ltrim(split_part({number}, '.', 1), '-0'))), "  # noqa: S608
        f"max(strlen(rtrim(split_part({number}, '.', 2), '0'))) "
        f"FROM ({values}) WHERE NOT {null_word_sql('v')} GROUP BY c"
    )
    return {name: Digits(whole, decimals) for name, whole, decimals in found}
