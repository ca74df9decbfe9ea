"""Text files as a database reads them: in UTF-8, with one kind of line end, without comments."""

import codecs
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

from processors.tables.files import HEAD_BYTES
from processors.tables.options import Encoding
from processors.tables.signatures import foreign
from tandem.processing import Permanent, TaskContext

MAX_LINE_CHARACTERS = 2 << 20
_LINE_AND_END = MAX_LINE_CHARACTERS + 2
MAX_REWRITTEN_BYTES = 1 << 30
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_WIDE_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\u0a00\u0d00]")
"""Control characters, and line ends whose bytes stand in the other order."""
_LINES_AT_ONCE = 10_000
_PROBE_BYTES = 1 << 16
_LOOK_BYTES = 4096
_LINE_END = re.compile(rb"[\r\n]")


def not_text(encoding: str) -> str:
    """Return what to say of a file that is not of its encoding."""
    name = encoding.upper() if encoding.startswith("utf") else encoding
    return f"the file is not {name} text"


ENCODING_HINT = "; name its encoding in options.encoding, for example windows-1252"


def encoding_hint(reason: str, given: str | None) -> str:
    """Return what may mend a refusal, as the end of its sentence."""
    return ENCODING_HINT if given is None and "not UTF-8 text" in reason else ""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of text."""

    path: Path
    encoding: str
    start: str
    """Its first mebibyte or so."""
    marked: bool
    """Whether it starts with a byte order mark."""


def text_file(path: Path, head: bytes, given: Encoding | None) -> TextFile:
    """Return what the first bytes of a file say of it.

    Raises:
        Permanent: it is no text, or of another encoding than the one given or assumed.
    """
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    encoding: str = marked or given or "utf-8"
    if encoding == "utf-16" and not marked:
        encoding = f"utf-16-{_byte_order(head) or 'le'}"
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        text = decoder.decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeError:
        if marked or given or not _CONTROL.search(head[:_LOOK_BYTES]):
            message = not_text(encoding) + ("" if given else ENCODING_HINT)
            raise Permanent(message) from None
        raise Permanent(_no_text(head)) from None
    start = text.removeprefix("\ufeff")
    if encoding == "utf-8":
        seen = head[:_LOOK_BYTES]  # of letters in two bytes, one is a control character: 0 to 6
        if b"\x00" in seen and len(_CONTROL.findall(seen)) > len(seen) / 4:
            raise Permanent(_no_text(head))
    elif known := foreign(start[:_LOOK_BYTES].encode()):
        raise Permanent(known)
    return TextFile(path, encoding, start, bool(marked))


def _no_text(head: bytes) -> str:
    """Return what to say of a file that is not UTF-8 text, and has control characters."""
    if order := _byte_order(head):
        hint = f"it looks like UTF-16, so give options.encoding as utf-16-{order}"
        return f"the file is not UTF-8 text: {hint}"
    return "the file is neither text nor Parquet: send CSV, JSON or Parquet"


def _byte_order(head: bytes) -> Literal["le", "be"] | None:
    """Return the byte order of what looks like UTF-16 without a mark.

    Of ASCII every second byte is zero. Of other letters the line ends tell.
    """
    zeros = [head[first:_LOOK_BYTES:2].count(0) for first in (0, 1)]
    if sum(zeros) >= len(head[:_LOOK_BYTES]) / 8 and max(zeros) >= 9 * min(zeros):
        return "be" if zeros[0] > zeros[1] else "le"
    some = head[: min(len(head), _LOOK_BYTES) & ~1]
    orders: tuple[Literal["le", "be"], ...] = ("le", "be")
    for order in orders:
        text = codecs.getincrementaldecoder(f"utf-16-{order}")("replace").decode(some)
        if "\ufffd" not in text and re.search(r"[\r\n]", text) and not _WIDE_CONTROL.search(text):
            return order
    return None


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a text file needs so that a database can read it."""

    encoding: str
    skip: int = 0
    """Lines to leave out at the start."""
    comment: str = ""
    one_line_end: bool = False
    """Whether its lines end in different ways."""
    delimiter: str = ","
    quote: str = ""
    escape: str = ""

    @property
    def something(self) -> bool:
        """Whether the file must be written anew."""
        return bool(self.encoding != "utf-8" or self.skip or self.comment or self.one_line_end)

    def for_line_ends(self) -> "Rewriting":
        """Return what a file still needs that has all else by now."""
        return replace(self, encoding="utf-8", skip=0, comment="", one_line_end=True)


def has_mixed_line_ends(path: Path) -> bool:
    """Return whether a file in UTF-8 has line ends of more than one kind, be it in a value."""
    kinds: set[bytes] = set()
    with path.open("rb") as file:
        while chunk := file.read(HEAD_BYTES):
            if chunk.endswith(b"\r"):
                chunk += file.read(1)
            if b"\r" not in chunk:  # most files, in a moment
                kinds |= {b"\n"} if b"\n" in chunk else set()
            else:
                pairs = chunk.count(b"\r\n")
                kinds |= {b"\r\n"} if pairs else set()
                kinds |= {b"\n"} if chunk.count(b"\n") > pairs else set()
                kinds |= {b"\r"} if chunk.count(b"\r") > pairs else set()
            if len(kinds) > 1:
                return True
    return False


def check_lines(path: Path) -> None:
    """Raise Permanent when a line is far too long: DuckDB leaves out one longer than its buffer.

    It looks at some bytes of each mebibyte, and at all only where these have no line end.
    """
    without = 0
    with path.open("rb") as file:
        while start := file.read(_PROBE_BYTES):
            if _LINE_END.search(start) or _LINE_END.search(file.read(HEAD_BYTES - _PROBE_BYTES)):
                without = 0
            else:
                without += 1
                if without > MAX_LINE_CHARACTERS // HEAD_BYTES:
                    message = f"a line is too long (line {_line_at(path, file.tell())})"
                    raise Permanent(message)
            file.seek(-file.tell() % HEAD_BYTES, os.SEEK_CUR)


def _line_at(path: Path, position: int) -> int:
    """Return the number of the line that a position is in."""
    feeds = returns = 0
    with path.open("rb") as file:
        while chunk := file.read(min(HEAD_BYTES, position - file.tell())):
            feeds += chunk.count(b"\n")
            returns += chunk.count(b"\r")
    return (feeds or returns) + 1


def rewrite(source: Path, target: Path, needs: Rewriting, ctx: TaskContext) -> None:
    """Write a file anew, in UTF-8.

    Raises:
        Permanent: it is not of its encoding, or becomes too large.
    """
    size = 0
    try:
        with (
            source.open(encoding=needs.encoding, newline="") as file,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            _leave_out(file, needs.skip)
            for some in _pieces(file, needs):
                ctx.check_cancelled()
                size += len(some)
                if size > MAX_REWRITTEN_BYTES:
                    message = f"the file holds more than {MAX_REWRITTEN_BYTES >> 20} MiB of text"
                    raise Permanent(message)
                copy.write(some)
    except UnicodeError:
        raise Permanent(not_text(needs.encoding) + ENCODING_HINT) from None


def _leave_out(file: TextIO, lines: int) -> None:
    if file.read(1) != "\ufeff":
        file.seek(0)
    for _ in range(lines):
        while (part := file.readline(MAX_LINE_CHARACTERS)) and part[-1] not in "\r\n":
            continue


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file with their ends, and no more of one than is allowed."""
    return iter(lambda: file.readline(_LINE_AND_END), "")


def _pieces(file: TextIO, needs: Rewriting) -> Iterator[str]:
    """Yield what is kept of the file, some lines at a time."""
    if not (needs.comment or needs.one_line_end):
        while some := file.read(HEAD_BYTES):
            yield some
        return
    ends_inside = _quoting(needs)
    inside = False
    kept = []
    for number, line in enumerate(_lines(file), needs.skip + 1):
        if len(line) > MAX_LINE_CHARACTERS and line[-1] not in "\r\n":  # there is more of it
            message = f"a line is too long (line {number})"
            raise Permanent(message)
        if not inside and needs.comment and line.lstrip(" ").startswith(needs.comment):
            continue
        inside = ends_inside(line, inside)
        if needs.one_line_end and not inside and line[-1] in "\r\n":
            line = line.rstrip("\r\n") + "\n"  # noqa: PLW2901  # the same line, ended otherwise
        kept.append(line)
        if len(kept) == _LINES_AT_ONCE:
            yield "".join(kept)
            kept.clear()
    yield "".join(kept)


def _quoting(needs: Rewriting) -> Callable[[str, bool], bool]:
    """Return what tells whether a line ends within a quoted value, given whether it starts so."""
    if not needs.quote:
        return lambda _line, _inside: False
    quote, escape = re.escape(needs.quote), re.escape(needs.escape)
    opening = re.compile(rf"(?:^|{re.escape(needs.delimiter)}) *{quote}")
    if escape == quote:
        rest = re.compile(rf"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*{quote}(?!{quote})")
    else:
        rest = re.compile(rf"(?:{escape}[\s\S]|[^{quote}{escape}])*{quote}")

    def ends_inside(line: str, inside: bool) -> bool:  # noqa: FBT001  # what the line starts in
        if needs.quote not in line:
            return inside
        position = 0
        while True:
            if inside:
                if not (closed := rest.match(line, position)):
                    return True
                position, inside = closed.end(), False
            if not (opened := opening.search(line, position)):
                return False
            position, inside = opened.end(), True

    return ends_inside
