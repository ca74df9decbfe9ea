"""The types of nested values, read from the text that DuckDB writes for them."""

import re
from dataclasses import dataclass
from typing import Literal

Shape = Literal["scalar", "list", "array", "struct", "tuple", "map", "union"]

_TOKENS = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"]|"")*")
      | (?P<text>'(?:[^']|'')*')
      | (?P<word>[^\s"'(),\[\]]+)
      | (?P<mark>[(),\[\]])
    )""",
    re.VERBOSE,
)
_SHAPES: dict[str, Shape] = {"STRUCT": "struct", "TUPLE": "tuple", "MAP": "map", "UNION": "union"}


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type: a scalar by its text, or a shape with the types of its parts."""

    shape: Shape
    text: str
    parts: tuple[tuple[str, "TypeName"], ...] = ()
    """Name and type of each part. Only those of a struct and a union have names. A list has one
    part, a map two: key and value."""


def parse_type(text: str) -> TypeName:
    """Return the type that a text of DuckDB's stands for.

    Raises:
        ValueError: the text is not a type.
    """
    parser = _Parser(text)
    found = parser.type_name()
    if parser.ahead:
        raise ValueError(text)
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.ahead = ""
        self._next()

    def _next(self) -> str:
        """Return the token, and go on to the next. The token after the last is empty."""
        token, rest = self.ahead, self._text[self._at :].strip()
        if not rest:
            self.ahead = ""
        elif match := _TOKENS.match(self._text, self._at):
            self._at = match.end()
            self.ahead = match[0].strip()
        else:
            raise ValueError(self._text)
        return token

    def _take(self, token: str) -> bool:
        if self.ahead != token:
            return False
        self._next()
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(self._text)

    def type_name(self) -> TypeName:
        if not self.ahead:
            raise ValueError(self._text)
        start = self._at - len(self.ahead)
        word = self._next().upper()
        if word in _SHAPES and self.ahead == "(":
            found = TypeName(_SHAPES[word], word, tuple(self._parts(_SHAPES[word])))
        else:
            found = TypeName("scalar", self._scalar(start))
        while self._take("["):
            shape: Shape = "list" if self.ahead == "]" else "array"
            if shape == "array":
                self._next()
            self._expect("]")
            found = TypeName(shape, "", (("", found),))
        return found

    def _parts(self, shape: Shape) -> list[tuple[str, TypeName]]:
        self._expect("(")
        parts = []
        while True:
            name = _unquoted(self._next()) if shape in {"struct", "union"} else ""
            parts.append((name, self.type_name()))
            if self._take(")"):
                return parts
            self._expect(",")

    def _scalar(self, start: int) -> str:
        """Return the text of a type such as `TIMESTAMP WITH TIME ZONE`, up to what follows it."""
        depth = 0
        end = self._at - len(self.ahead)
        while self.ahead and (depth or self.ahead not in {",", ")", "["}):
            depth += {"(": 1, ")": -1}.get(self.ahead, 0)
            end = self._at
            self._next()
        return self._text[start:end].strip()


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
