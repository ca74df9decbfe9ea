"""`.env`: the settings of processors on this machine, one NAME=value a line.

A value in double quotes may span lines. In it a backslash stands before `n`, `r`, `t`, a quote and
itself. One in single quotes may span lines, and is as it stands. One without quotes ends with its
line, or with a blank and `#`. Nothing is put in the place of `$NAME`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT

FILE = PROJECT / ".env"

_ENTRY = re.compile(
    r"""(?:export[ \t]+)?
        (?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
        (?:"(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>[^']*)' | (?P<plain>(?!["'])[^\n]*?))
        [ \t]*(?:(?<=[ \t])\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def read(path: Path = FILE) -> dict[str, str]:
    """Return the settings that a file has. None when it is not there.

    Raises:
        ToolError: a line of it is no setting, or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # some name a virtual environment so
        return {}
    except UnicodeDecodeError:
        raise ToolError(f"{path} is no text in UTF-8.", "Save it as one.") from None
    except OSError as error:
        raise ToolError(f"{path} cannot be read: {error.strerror}.", "Let it be read.") from None
    return parse(text, path)


def parse(text: str, path: Path = FILE) -> dict[str, str]:
    """Return the settings of a text. Of two of one name the last counts.

    Raises:
        ToolError: a line of it is no setting. Nothing of it is shown.
    """
    text = text.replace("\r\n", "\n")
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        if nothing := _NOTHING.match(text, place):
            place = nothing.end()
            continue
        start = place + len(text[place:]) - len(text[place:].lstrip(" \t"))
        entry = _ENTRY.match(text, start)
        if entry is None:
            number = text.count("\n", 0, place) + 1
            raise ToolError(
                f"{path}, line {number}: this is no setting.",
                "Write NAME=value, and close each quote that a value begins with.",
            )
        found[entry["name"]] = _value(entry)
        place = entry.end()
    return found


def _value(entry: re.Match[str]) -> str:
    parts: Mapping[str, str | None] = entry.groupdict()
    if (double := parts["double"]) is not None:
        return _ESCAPE.sub(lambda one: _ESCAPES.get(one[1], one[0]), double)
    return parts["single"] if parts["single"] is not None else (parts["plain"] or "").strip()
