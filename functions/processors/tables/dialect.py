"""The dialect of a CSV file: delimiter, quotes and column names."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from processors.tables.files import check_width
from processors.tables.limits import MAX_NAME_CHARACTERS
from processors.tables.names import numbered
from processors.tables.options import ReadOptions
from tandem.processing import Permanent

_DELIMITERS = ",;\t|"
_RECORDS = 20
"""So many tell the delimiter."""
_SEP_LINE = re.compile(r'"?sep=(.)"?(?:\r\n|\n|\r)', re.IGNORECASE)
_DATA = re.compile(r"[-+]?\d+(?:[.,]\d+)?|\d{4}-\d\d-\d\d.*|", re.DOTALL)
_COMMA_NUMBER = re.compile(r"-?\d+,\d+", re.ASCII)
_COMMA_ELSEWHERE = re.compile(r"(?<![0-9]),|,(?![0-9])")
_SHOWN_CHARACTERS = 100
_SKIP_HINT = "if the table starts further down, say in options.skip how many lines to leave out"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is needed to read a CSV file."""

    delimiter: str
    quote: str
    escape: str
    skip: int
    """Lines before the names of the columns."""
    comment: str
    header: bool
    decimal: str
    names: list[str]
    first_line: str
    warnings: list[str]

    def hint(self, reason: str) -> str:
        """Return what may mend a refusal, as the end of its sentence."""
        if self.comment == "" and self.first_line.startswith(("#", "%", "//")):
            return "; its first line looks like a comment: see options.comment and options.skip"
        if "columns where the first has" in reason and self.skip == 0:
            width, first = re.findall(r"\d+", reason)[:2]
            if int(width) > int(first):
                return f"; {_SKIP_HINT}"
        if "quoted value" in reason and self.escape == self.quote:
            return "; if a backslash stands before quotes in values, give it as options.escape"
        return ""


def dialect_of(start: str, options: ReadOptions) -> Dialect:
    """Return how the text is written that starts so, having checked the names of its columns.

    Raises:
        Permanent: its first line is missing, or names no fit set of columns.
    """
    quote = '"' if options.quote is None else options.quote
    escape = options.escape or quote
    skip, delimiter = options.skip, options.delimiter
    doubts: list[str] = []
    lines = list(StringIO(start, newline=""))
    taken = {quote, escape, options.comment}
    if skip == 0 and (excel := _SEP_LINE.match(start)) and excel[1] not in {*taken, "\r", "\n"}:
        skip, delimiter = 1, delimiter or excel[1]
    lines = lines[skip:]
    header = options.header is not False
    blank = _blank_lines(lines, options.comment)
    if header:  # a line that is blank names no columns; without names it may be a row
        skip += blank
    lines = lines[blank:]
    if options.comment:
        while lines and lines[0].lstrip(" ").startswith(options.comment):
            del lines[0]
    text = "".join(lines)
    if delimiter is None:
        said = (line for line in lines if not _says_nothing(line, options.comment))
        records = list(islice(_unquoted(said, quote), _RECORDS)) or [""]
        delimiter = _delimiter(records, options.decimal, taken)
        doubts = _delimiter_warnings(records[0].replace(options.decimal or "", ""), delimiter)
    names, values = _first_records(text, delimiter, quote, escape)
    check_width(len(names))
    warnings = _warnings(names) if options.header is None else []
    if header:
        _check_names(names)
        names = [name or f"column{number}" for number, name in enumerate(names)]
    else:
        values = names
        names = [f"column{number}" for number in range(len(names))]
    names = numbered(names)
    warnings += doubts
    if options.infer and options.decimal is None and delimiter != ",":
        free = zip(names, values, strict=False)
        warnings += _comma_warnings(
            [delimiter for delimiter in free if delimiter[0] not in options.types]
        )
    return Dialect(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        skip=skip,
        comment=options.comment or "",
        header=header,
        decimal=options.decimal or ".",
        names=names,
        first_line="".join(lines[:1])[:100],
        warnings=warnings,
    )


def _says_nothing(line: str, comment: str | None) -> bool:
    """Return whether a line is blank or a comment."""
    start = line.lstrip(" ")
    return not start.strip("\r\n") or bool(comment and start.startswith(comment))


def _unquoted(lines: Iterable[str], quote: str) -> Iterator[str]:
    """Yield records without what is quoted in them."""
    record, inside = "", False
    for line in lines:
        parts = line.split(quote) if quote else [line]
        record += "".join(parts[inside::2])
        inside ^= len(parts) % 2 == 0
        if not inside:
            yield record
            record = ""
    if record:
        yield record


def _delimiter(records: Sequence[str], decimal: str | None, taken: Collection[str | None]) -> str:
    """Return the delimiter that the first record has most of.

    First come those that all records have the same number of, and of as many another than the
    comma, which numbers and texts have, too. One that is the decimal comma comes last.
    """
    free = [mark for mark in _DELIMITERS if mark not in taken]
    found = [mark for mark in free if mark in records[0] and mark != decimal]
    if not found:
        there = [mark for mark in free if mark in records[0]]  # the decimal comma alone
        return (there or [mark for mark in free if mark != decimal] or free)[0]

    def rank(mark: str) -> tuple[bool, int, bool]:
        counts = [record.count(mark) for record in records]
        return len(set(counts)) == 1, counts[0], mark != ","

    return max(found, key=rank)


def _blank_lines(lines: Sequence[str], comment: str | None) -> int:
    """Return how many lines stand up to the last blank one before the table, comments among them.

    Where there is no table, none count.
    """
    blank = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip(" \r\n"):
            blank = number
        elif not _says_nothing(line, comment):
            return blank
    return 0


def _first_records(
    text: str, delimiter: str, quote: str, escape: str
) -> tuple[list[str], list[str]]:
    """Return the fields of the first record, and those of the second as far as it can be read."""
    if not text:
        message = "the CSV file has no line that names the columns"
        raise Permanent(message)
    reader = csv.reader(
        StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=None if escape == quote else escape,
        doublequote=escape == quote,
        skipinitialspace=delimiter != " ",
        strict=True,
    )
    try:
        first = [name.strip() for name in next(reader, [])]
    except csv.Error:
        message = "the first line of the CSV file, which names the columns, cannot be read"
        raise Permanent(message) from None
    try:
        return first, next(reader, [])
    except csv.Error:  # it is refused with its line, where the whole file is read
        return first, []


def _check_names(names: list[str]) -> None:
    if not any(names):
        message = (
            f"the first line of the CSV file must name the columns, and is blank; {_SKIP_HINT}"
        )
        raise Permanent(message)
    if any("\x00" in name for name in names):
        message = "the name of a column has a NUL character"
        raise Permanent(message)
    if any(len(name) > MAX_NAME_CHARACTERS for name in names):
        message = f"a column's name is longer than {MAX_NAME_CHARACTERS} characters"
        raise Permanent(message)


def _delimiter_warnings(line: str, delimiter: str) -> list[str]:
    """Return what else may delimit values, if all commas of a line stand between digits."""
    other = max(_DELIMITERS.replace(",", ""), key=line.count)
    if delimiter != "," or other not in line or _COMMA_ELSEWHERE.search(line):
        return []
    return [f"the first line has {other!r}, too: if that separates values, set options.delimiter"]


def _comma_warnings(fields: list[tuple[str, str]]) -> list[str]:
    """Return which column looks as if a comma stood before its decimals, given a value of each."""
    for name, value in fields:
        if _COMMA_NUMBER.fullmatch(value.strip()):
            shown = name[:_SHOWN_CHARACTERS]
            warning = (
                f"the values of {shown!r} are text: if commas stand before decimals, set "
                "options.decimal to a comma"
            )
            return [warning]
    return []


def _warnings(names: list[str]) -> list[str]:
    """Return what is strange about the names of columns, and what may mend it."""
    if any(names) and all(_DATA.fullmatch(name) for name in names):
        return [
            "the first line looks like data: if it names no columns, set options.header to false"
        ]
    if len(names) > 1 and names[0] and not any(names[1:]):
        return [f"the first line names one column only, as a title does: {_SKIP_HINT}"]
    return []
