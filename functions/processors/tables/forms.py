"""The forms that a value of text can have, and SQL that tells them apart.

A form says of a text which types keep it. The type of a column follows from the forms of all its
values, so it does not depend on their order.
"""

import re
from enum import IntFlag

from processors.tables.assumed import NULL_WORDS


class Form(IntFlag):
    """The forms of the values of a column."""

    INTEGER = 1
    """`0`, `-12`: no leading zero, no plus, no exponent."""
    OVER_64_BITS = 2
    OVER_128_BITS = 4
    DECIMAL = 8
    """`1.50`, `.5`, `-0`."""
    EXPONENT = 16
    """`1.5e-7`, `1e+20`: with a point or a sign, as programs write numbers. `1E5` may be a code."""
    INEXACT = 32
    """A number that a double does not hold."""
    NOT_FINITE = 64
    NULL_WORD = 128
    DATE = 256
    TIME = 512
    TIME_NS = 1024
    MOMENT = 2048
    """A date and a time."""
    MOMENT_NS = 4096
    INSTANT = 8192
    """A date, a time and an offset."""
    INSTANT_NS = 1 << 14
    FAR = 1 << 15
    """A moment or an instant that nanoseconds in 64 bits do not reach."""
    LOWER = 1 << 16
    """`true`, `false`."""
    TITLE = 1 << 17
    UPPER = 1 << 18
    PADDED = 1 << 19
    """Blanks stand around it."""
    OTHER = 1 << 20


NO_FORM = Form(0)
INTEGERS = Form.INTEGER | Form.OVER_64_BITS | Form.OVER_128_BITS
NUMBERS = INTEGERS | Form.DECIMAL | Form.EXPONENT | Form.INEXACT | Form.NOT_FINITE
TIMES = Form.TIME | Form.TIME_NS
MOMENTS = Form.MOMENT | Form.MOMENT_NS | Form.FAR
INSTANTS = Form.INSTANT | Form.INSTANT_NS | Form.FAR
SPELLINGS = (Form.LOWER, Form.TITLE, Form.UPPER)
MODIFIERS = Form.INEXACT | Form.FAR | Form.PADDED | Form.OVER_64_BITS | Form.OVER_128_BITS
"""What is said of a value beside its form."""

_SHORT_INTEGER = "0|-?[1-9][0-9]{0,14}"
"""A double holds its 15 digits."""
_DECIMAL = "-?(0|[1-9][0-9]*)[.][0-9]+"
_DECIMALS = "-?(0|[1-9][0-9]*)?[.][0-9]+|-?(0|[1-9][0-9]*)[.]|-0"
_EXPONENT = "-?((0|[1-9][0-9]*)?[.][0-9]+|(0|[1-9][0-9]*)[.]?)[eE][+-]?[0-9]+"
_BARE_EXPONENT = "-?[0-9]+[eE][0-9]+"
_DAY = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
_SHORT_DAY = "(1[5-9]|2[01])[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_MICROS = "[.][0-9]{1,6}"
_NANOS = "[.][0-9]{7,9}"
_OFFSET = "(Z| UTC|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
_MOMENT = f"{_DAY}[ T]{_CLOCK}(:[0-5][0-9]({_MICROS})?)?"
_MOMENT_NS = f"{_DAY}[ T]{_CLOCK}:[0-5][0-9]{_NANOS}"
_SPELLED = {
    Form.LOWER: "('true', 'false')",
    Form.TITLE: "('True', 'False')",
    Form.UPPER: "('TRUE', 'FALSE')",
}


def text(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def matches(value: str, pattern: str) -> str:
    """Return SQL for whether the whole of a value is as a pattern says."""
    return f"regexp_full_match({value}, '{pattern}')"


def usual_sql(x: str, form: Form, *, comma: bool = False) -> str | None:
    """Return cheap SQL for whether a value has the usual look of a form, if there is such a look.

    What has it has the form, and neither `INEXACT` nor `FAR` beside it: it needs no closer look.
    That of decimals is for integers among them, too. The SQL may be null for false.
    """
    number = number_sql(x, comma=comma)
    # In 16 characters there are 15 digits at most, which a double holds.
    decimal = (
        f"CASE WHEN strlen({x}) <= 16 "
        f"THEN {matches(number, f'{_DECIMAL}|{_SHORT_INTEGER}')} "
        f"ELSE CAST(TRY_CAST({number} AS DOUBLE) AS VARCHAR) = {number} END"
    )
    near = f"{x} >= '1678' AND {x} < '2262'"
    looks = {
        Form.INTEGER: matches(number, _SHORT_INTEGER),
        Form.DECIMAL: decimal,
        Form.DATE: (
            f"strlen({x}) = 10 AND {x} >= '1' AND CAST(TRY_CAST({x} AS DATE) AS VARCHAR) = {x}"
        ),
        Form.MOMENT: f"{near} AND {matches(x, _MOMENT)} AND TRY_CAST({x} AS TIMESTAMP) IS NOT NULL",
        Form.INSTANT: (
            f"{near} AND {matches(x, _MOMENT + _OFFSET)} "
            f"AND TRY_CAST({x} AS TIMESTAMPTZ) IS NOT NULL"
        ),
    } | {form: f"{x} IN {spelled}" for form, spelled in _SPELLED.items()}
    return looks.get(form)


def number_sql(x: str, *, comma: bool) -> str:
    """Return SQL for a number with a decimal point, given one with a decimal comma if so."""
    return f"translate({x}, ',.', '.,')" if comma else x


def form_sql(x: str, *, words: bool, numbers: bool, comma: bool = False) -> str:
    """Return SQL for the form of a value: 0 for null.

    `words`: whether there are words for null. `numbers`: whether a text can be a number or boolean.
    """
    t = f"trim({x}, ' ')"
    branches = [f"WHEN {x} IS NULL THEN 0"]
    if numbers:  # first what there is most of, in its usual look: the rest costs more to tell
        branches += _usual_numbers(x, number_sql(x, comma=comma))
    if words:
        branches.append(f"WHEN {null_word_sql(x)} THEN {Form.NULL_WORD:d}")
    if numbers:
        branches += [
            f"WHEN strlen({x}) <= 5 AND {x} IN {spelled} THEN {form:d}"
            for form, spelled in _SPELLED.items()
        ]
        branches.append(
            f"WHEN strlen({x}) <= 9 AND {matches(f'lower({t})', '-?(inf|infinity|nan)')} "
            f"THEN {Form.NOT_FINITE:d} | {_padded(x)}"
        )
    # What starts with no digit, sign, point or blank is a text.
    branches.append(f"WHEN {x} >= ':' THEN {Form.OTHER:d}")
    if numbers:
        branches += _number_branches(x, number_sql(t, comma=comma))
    branches += _time_branches(x, t)
    return f"CASE {' '.join(branches)} ELSE {Form.OTHER:d} END"


def _usual_numbers(x: str, number: str) -> list[str]:
    same = f"CAST(TRY_CAST({number} AS DOUBLE) AS VARCHAR) = {number}"
    return [
        f"WHEN {matches(number, _SHORT_INTEGER)} THEN {Form.INTEGER:d}",
        f"WHEN {matches(number, _DECIMAL)} AND (strlen({x}) <= 16 OR {same}) THEN {Form.DECIMAL:d}",
    ]


def null_word_sql(x: str) -> str:
    """Return SQL for whether a value is a word for null, or blank."""
    # Not IN, nor list_contains: DuckDB makes a join of every list, and each join takes memory.
    words = "|".join(map(re.escape, NULL_WORDS))
    return f"regexp_full_match(trim({x}, ' '), {text(f'({words})?')})"


def _padded(x: str) -> str:
    return f"CASE WHEN {x} <> trim({x}, ' ') THEN {Form.PADDED:d} ELSE 0 END"


def _number_branches(x: str, number: str) -> list[str]:
    inexact = f"CASE WHEN {exact_sql(number)} THEN 0 ELSE {Form.INEXACT:d} END"
    size = (
        f"CASE WHEN TRY_CAST({number} AS BIGINT) IS NOT NULL THEN 0 "
        f"WHEN TRY_CAST({number} AS HUGEINT) IS NOT NULL THEN {Form.OVER_64_BITS:d} "
        f"ELSE {Form.OVER_64_BITS | Form.OVER_128_BITS:d} END"
    )
    bare_exponent = matches(number, _BARE_EXPONENT)
    looks = (
        (Form.INTEGER, matches(number, "0|-?[1-9][0-9]*"), f"{size} | {inexact}"),
        (Form.DECIMAL, matches(number, _DECIMALS), inexact),
        (Form.EXPONENT, f"{matches(number, _EXPONENT)} AND NOT {bare_exponent}", inexact),
    )
    return [f"WHEN {look} THEN {form:d} | {more} | {_padded(x)}" for form, look, more in looks]


def exact_sql(number: str) -> str:
    """Return SQL for whether a double holds a number: its shortest text has the same digits."""
    return f"{_digits(number)} = {_digits(f'CAST(TRY_CAST({number} AS DOUBLE) AS VARCHAR)')}"


def _digits(number: str) -> str:
    mantissa = f"replace(split_part(lower({number}), 'e', 1), '.', '')"
    return f"rtrim(ltrim({mantissa}, '-0'), '0')"


def _time_branches(x: str, t: str) -> list[str]:
    far = f"CASE WHEN TRY_CAST({t} AS TIMESTAMP_NS) IS NULL THEN {Form.FAR:d} ELSE 0 END"
    looks = (
        (Form.DATE, f"{_DAY}|{_SHORT_DAY}", "DATE", "0"),
        (Form.MOMENT, _MOMENT, "TIMESTAMP", far),
        (Form.MOMENT_NS, _MOMENT_NS, "TIMESTAMP_NS", "0"),
        (Form.INSTANT, _MOMENT + _OFFSET, "TIMESTAMPTZ", far),
        (Form.INSTANT_NS, _MOMENT_NS + _OFFSET, "TIMESTAMPTZ_NS", "0"),
        (Form.TIME, f"{_CLOCK}:[0-5][0-9]({_MICROS})?", "TIME", "0"),
        (Form.TIME_NS, f"{_CLOCK}:[0-5][0-9]{_NANOS}", "TIME_NS", "0"),
    )
    return [
        f"WHEN {matches(t, look)} AND TRY_CAST({t} AS {kind}) IS NOT NULL "
        f"THEN {form:d} | {more} | {_padded(x)}"
        for form, look, kind, more in looks
    ]
