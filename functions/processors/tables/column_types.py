"""The type that keeps every value of a column of texts, and SQL that makes the values of it."""

from dataclasses import dataclass

from processors.tables.forms import (
    INSTANTS,
    INTEGERS,
    MODIFIERS,
    MOMENTS,
    NO_FORM,
    NUMBERS,
    SPELLINGS,
    TIMES,
    Form,
    null_word_sql,
    number_sql,
)

TEXT = "VARCHAR"
_KINDS = (NUMBERS, Form.DATE, TIMES, MOMENTS, INSTANTS, *SPELLINGS)
"""Forms of one kind can share a column."""
_BESIDE = Form.PADDED | Form.FAR | Form.NULL_WORD
"""Forms that a value has beside its kind's, or that a column of any kind has."""


_TYPES = {
    Form.DATE: "DATE",
    Form.TIME_NS: "TIME_NS",
    Form.TIME: "TIME",
    Form.MOMENT_NS: "TIMESTAMP_NS",
    Form.MOMENT: "TIMESTAMP",
    Form.INSTANT_NS: "TIMESTAMPTZ_NS",
    Form.INSTANT: "TIMESTAMP WITH TIME ZONE",
} | dict.fromkeys(SPELLINGS, "BOOLEAN")
"""The type for a form, of several that a column has: the first."""


@dataclass(frozen=True, slots=True)
class Digits:
    """The most digits that a number of a column has before and after its point."""

    whole: int
    decimals: int


def type_of(forms: Form, digits: Digits | None = None) -> str:
    """Return the narrowest type that keeps all values, given the forms that they have.

    `digits` are needed, and asked for by `needs_digits`, where a double does not hold them.
    """
    kind = kind_of(forms)
    if kind is NUMBERS:
        return _number_type(forms, digits)
    if kind is None or nanoseconds_too_far(forms) or (kind in SPELLINGS and forms != kind):
        return TEXT
    return next(column_type for form, column_type in _TYPES.items() if form in forms)


def kind_of(forms: Form) -> Form | None:
    """Return all forms of the kind that all values are of, if they are of one."""
    values = forms & ~(Form.NULL_WORD | Form.PADDED | Form.FAR)
    if not values:
        return None
    return next((kind for kind in _KINDS if values & kind == values), None)


def nanoseconds_too_far(forms: Form) -> bool:
    """Return whether some values have nanoseconds and others are too far away to have them."""
    return Form.FAR in forms and bool(forms & (Form.MOMENT_NS | Form.INSTANT_NS))


def only_text(forms: Form) -> bool:
    """Return whether a column with such values is text, whatever its other values are."""
    return Form.OTHER in forms or (
        kind_of(forms) is None and bool(forms & ~(Form.NULL_WORD | Form.PADDED))
    )


def needs_digits(forms: Form) -> bool:
    """Return whether the type depends on how many digits the numbers have."""
    plain = not forms & (Form.EXPONENT | Form.NOT_FINITE | Form.OVER_128_BITS)
    return kind_of(forms) is NUMBERS and Form.DECIMAL in forms and Form.INEXACT in forms and plain


def _number_type(forms: Form, digits: Digits | None) -> str:
    values = forms & NUMBERS & ~MODIFIERS
    if values == Form.INTEGER:
        if Form.OVER_128_BITS in forms:
            return TEXT
        return "HUGEINT" if Form.OVER_64_BITS in forms else "BIGINT"
    if values == Form.NOT_FINITE:  # perhaps words, or codes
        return TEXT
    if Form.INEXACT not in forms:
        return "DOUBLE"
    if digits and digits.whole + digits.decimals <= 38:
        return f"DECIMAL({max(digits.whole + digits.decimals, 1)},{digits.decimals})"
    return TEXT


def value_sql(x: str, column_type: str, forms: Form, *, comma: bool = False) -> str:
    """Return SQL that makes a value of the type of a text that has one of the forms."""
    if column_type == TEXT:
        return x
    value = f"trim({x}, ' ')" if Form.PADDED in forms else x
    if kind_of(forms) is NUMBERS:
        value = number_sql(value, comma=comma)
    if Form.NULL_WORD in forms:
        value = f"CASE WHEN NOT {null_word_sql(x)} THEN {value} END"
    return f"CAST({value} AS {column_type})"


def deciding(column_type: str, forms: Form, first: Form) -> Form:
    """Return the forms of which one made a type wider than the first value's, if it is wider."""
    plain = first & ~Form.INEXACT
    if type_of(plain) in {TEXT, column_type}:
        return NO_FORM
    if column_type == TEXT:
        if Form.OTHER in forms:
            return Form.OTHER
        others = forms & ~(kind_of(first) or NO_FORM) & ~_BESIDE
        return others or forms & (Form.OVER_128_BITS | Form.INEXACT | Form.FAR | Form.NULL_WORD)
    if column_type == "HUGEINT":
        return Form.OVER_64_BITS
    if column_type.startswith("DECIMAL"):
        return Form.INEXACT
    return forms & ~(plain | INTEGERS | Form.INEXACT | _BESIDE)
