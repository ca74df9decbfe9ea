"""The assumptions under which a table was read, for the caller."""

from typing import Literal

from pydantic import BaseModel, Field

VALUE_CHARACTERS = 100
NULL_WORDS = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "\\N", "-")
"""What is null, unless options say otherwise, where every other value is a number, date or time."""


class Widened(BaseModel):
    """A column whose type is wider than its first value needs."""

    column: str
    type: str = Field(description="The type that it was given.")
    row: int = Field(description="The first row that needs it; rows are counted from 1.")
    value: str = Field(
        description=f"What this row has there, its first {VALUE_CHARACTERS} characters."
    )


class Assumed(BaseModel):
    """How the table was read. Each field can be set by an option of the same name."""

    format: Literal["csv", "json", "jsonl", "parquet"] = Field(
        description="`jsonl`: one JSON object a line. `json`: an array of them, or one after "
        "another."
    )
    compression: Literal["gzip", "zstd"] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    skip: int | None = Field(default=None, description="Lines that were left out at the start.")
    decimal: str | None = None
    nulls: list[str] | None = Field(
        default=None,
        description="What was read as null beside an empty field: in every column if options said "
        "so, else in columns of numbers, dates and times.",
    )
    widened: list[Widened] = []
    warnings: list[str] = Field(
        default=[], description="What looks as if the table should be read in another way, and how."
    )
