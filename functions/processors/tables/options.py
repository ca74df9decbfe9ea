"""Options for a table of which something else would be assumed."""

import re
from encodings.aliases import aliases
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from tandem.processing import WholeNumber

MAX_NULLS = 50
MAX_WORD_CHARACTERS = 100
MAX_SKIPPED_LINES = 1000

EncodingName = Literal[
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso-8859-2", "iso-8859-15",
    "windows-1250", "windows-1251", "windows-1252", "windows-1254", "mac-roman", "koi8-r",
    "shift-jis", "euc-jp", "euc-kr", "gb18030", "big5",
]  # fmt: skip
"""Each is the name of one of Python's codecs, too."""


def _spelled(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def _codec(name: str) -> str:
    return aliases.get(_spelled(name), _spelled(name))


_ENCODINGS = {_codec(name): name for name in get_args(EncodingName)}
_ENCODINGS |= {"ascii": "utf-8", "utf_8_sig": "utf-8"}
Encoding = Annotated[
    EncodingName,
    BeforeValidator(
        lambda name: _ENCODINGS.get(_codec(name), name) if isinstance(name, str) else name
    ),
]
"""In any spelling that Python knows: `latin1`, `ISO-8859-1`, `cp1252`."""

_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "instant": "TIMESTAMP WITH TIME ZONE",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
}
_TYPES |= {
    name.lower(): name
    for name in (
        "VARCHAR", "BOOLEAN", "BIGINT", "HUGEINT", "DOUBLE", "UUID", "DATE", "TIME", "TIME_NS",
        "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE",
    )
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d{1,2}), ?(\d{1,2})\)")
_CSV_ONLY = ("delimiter", "header", "skip", "comment", "quote", "escape", "decimal")
_TEXT_ONLY = ("encoding", "infer", "nulls")
_ASCII_MARK = r"^[!-/:-@\[-`{-~]$"
"""A printable ASCII character that is neither letter nor digit."""


def _type(name: str) -> str:
    """Return the name of a type as DuckDB writes it."""
    plain = " ".join(name.lower().split())
    if known := _TYPES.get(plain):
        return known
    if found := _DECIMAL.fullmatch(plain):
        width, scale = int(found[1]), int(found[2])
        if 1 <= width <= 38 and scale <= width:
            return f"DECIMAL({width},{scale})"
    message = (
        f"a type must be one of {', '.join(_TYPES)} or decimal(width,scale), 38 digits at most"
    )
    raise ValueError(message)


TypeName = Annotated[str, StringConstraints(max_length=40), AfterValidator(_type)]
Word = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_WORD_CHARACTERS, pattern=r"^[^\x00\r\n]+$")
]
Mark = Annotated[str, StringConstraints(pattern=_ASCII_MARK)]


class ReadOptions(BaseModel):
    """What to take for granted of a table, in place of what is assumed."""

    model_config = ConfigDict(extra="forbid")

    types: dict[str, TypeName] = Field(
        default_factory=dict,
        max_length=500,
        description=(
            "The type of each column that is named: `text`, `integer`, `number`, `boolean`, "
            "`date`, `time`, `timestamp`, `instant` (with an offset, or in UTC), or DuckDB's name "
            "of a type, such as `DECIMAL(18,2)`. A value that is not of the type is refused with "
            "its row. A type never rounds or cuts, but for `number`: that is the nearest double."
        ),
        examples=[{"zip": "text", "amount": "DECIMAL(18,2)"}],
    )
    infer: bool = Field(
        default=True,
        description="Whether types are chosen by the values. If not, every column is text.",
    )
    nulls: list[Word] | None = Field(
        default=None,
        max_length=MAX_NULLS,
        description=(
            "What stands for null in every column, beside an empty field. By default nothing else, "
            "but in columns whose every other value is a number, a date or a time: there `NA`, "
            r"`N/A`, `n/a`, `#N/A`, `NULL`, `null`, `None`, `\N` and `-` do."
        ),
        examples=[["NA", "NULL"]],
    )
    delimiter: Annotated[str, StringConstraints(pattern=r"^[\x01\t\x1f -/:-@\[-`{-~]$")] | None = (
        Field(
            default=None,
            description="CSV: what separates values. By default comma, semicolon, tab or bar, "
            "whichever the first line has most of and the first 20 all the same number of, or what "
            "Excel's line `sep=` names.",
            examples=[";"],
        )
    )
    header: bool | None = Field(
        default=None,
        description="CSV: whether the first line names the columns, which is the default. If not, "
        "they are called `column0`, `column1` and so on.",
    )
    skip: WholeNumber = Field(
        default=0,
        ge=0,
        le=MAX_SKIPPED_LINES,
        description="CSV: how many lines to leave out at the start.",
    )
    comment: Mark | None = Field(
        default=None,
        description="CSV: lines that start with this character are left out.",
        examples=["#"],
    )
    quote: Annotated[str, StringConstraints(pattern=r"^[!-/:-@\[-`{-~]?$")] | None = Field(
        default=None,
        description='CSV: what quotes a value, by default `"`. Empty if nothing does.',
        examples=["'"],
    )
    escape: Mark | None = Field(
        default=None,
        description="CSV: what stands before a quote within a quoted value, by default the quote "
        "itself.",
        examples=["\\"],
    )
    encoding: Encoding | None = Field(
        default=None,
        description="CSV and JSON: how characters are encoded, by default in UTF-8. What a byte "
        "order mark at the start says comes first. Python's other names for them do too, such as "
        "`cp1252`.",
        examples=["windows-1252"],
    )
    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="CSV: what stands before the decimals of a number, by default `.`.",
    )

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        marks = {
            "delimiter": self.delimiter,
            "quote": '"' if self.quote is None else self.quote,
            "comment": self.comment,
            "decimal": self.decimal if self.decimal == "," else None,
        }
        names: dict[str, str] = {}
        for name, mark in marks.items():
            if mark and (other := names.setdefault(mark, name)) != name:
                message = f"{other} and {name} must be different characters"
                raise ValueError(message)
        if self.escape and self.escape in {self.delimiter, self.comment}:
            message = "escape must be another character than delimiter and comment"
            raise ValueError(message)
        if self.escape and self.quote == "":
            message = "escape needs a quote"
            raise ValueError(message)
        return self

    def unfit(self, kind: str) -> str | None:
        """Return the name of an option that is given and says nothing of a format."""
        unfit = {"csv": (), "json": _CSV_ONLY, "rows": (*_CSV_ONLY, "encoding")}.get(
            kind, (*_CSV_ONLY, *_TEXT_ONLY)
        )
        return next((name for name in unfit if name in self.model_fields_set), None)
