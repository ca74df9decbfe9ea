"""The prose rules of CONTRIBUTING.md that a program can check.

It reads the docstrings of what ships, of the tools and of the client, and the pages. Generated
pages and decision records, which are history, are left out.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tandem_tools.paths import PROJECT

SOURCES = ("functions", "tools", "client/tandem_client")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs")
LEFT_OUT = frozenset({"decisions", "reference"})
GENERATED = frozenset({Path("client", "tandem_client", "models.py")})
WORDS_IN_A_DOCSTRING = 30
WORDS_ON_A_PAGE = 60
SUBJECT = re.compile(r"(What|How|Whether|Who|Whom|Where|When)\b")
_CODE = re.compile(r"`[^`]*`|https?://\S+")
_EXAMPLE = re.compile(r"^\s*(Example:|Args:|Raises:|Returns:)", re.MULTILINE)
_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_ASIDE = re.compile(r"<!--.*?-->", re.DOTALL)


def main(_arguments: Sequence[str] = ()) -> int:
    """Print each place that breaks a rule, and return the exit code."""
    found = [*in_sources(), *in_pages()]
    for fault in found:
        print(fault, file=sys.stderr)
    print(f"prose: {len(found)} to mend")
    return 1 if found else 0


def in_sources() -> Iterator[str]:
    """Yield what is wrong with docstrings."""
    for root in SOURCES:
        for path in sorted((PROJECT / root).rglob("*.py")):
            name = path.relative_to(PROJECT)
            if name not in GENERATED:
                yield from (f"{name}:{fault}" for fault in of_source(path.read_text()))


def of_source(source: str) -> Iterator[str]:
    """Yield what is wrong with the docstrings of one module, each with its line."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for number, statement in enumerate(body if isinstance(body, list) else ()):
            if not isinstance(statement, ast.Expr):
                continue
            text = getattr(statement.value, "value", None)
            if isinstance(text, str):
                of_module = node is tree and number == 0
                yield from (
                    f"{statement.lineno}: {fault}"
                    for fault in of_docstring(text, of_module=of_module)
                )


def of_docstring(text: str, *, of_module: bool) -> Iterator[str]:
    """Yield which rules a docstring breaks."""
    if of_module and SUBJECT.match(text):
        yield f"begin with the subject, not with {text.split(maxsplit=1)[0]}"
    prose = _CODE.sub("code", _EXAMPLE.split(text)[0])
    if ";" in prose:
        yield "write two sentences in the place of a semicolon"
    yield from too_long(prose, WORDS_IN_A_DOCSTRING)


def in_pages() -> Iterator[str]:
    """Yield what is wrong with the pages."""
    for root in PAGES:
        place = PROJECT / root
        for path in sorted(place.rglob("*.md")) if place.is_dir() else [place]:
            if not LEFT_OUT & set(path.parts):
                name = path.relative_to(PROJECT)
                yield from (f"{name}: {fault}" for fault in of_page(path.read_text()))


def of_page(text: str) -> Iterator[str]:
    """Yield which rules a page breaks. Blocks, tables and comments are no prose."""
    prose = _CODE.sub("code", _ASIDE.sub("", _BLOCK.sub("", text)))
    lines = [line for line in prose.splitlines() if not line.lstrip().startswith(("|", "#"))]
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", "\n".join(lines)):
        yield from too_long(paragraph, WORDS_ON_A_PAGE)


def too_long(prose: str, most: int) -> Iterator[str]:
    """Yield each sentence with more words than that."""
    for sentence in re.split(r"(?<=[.:!?])\s", prose):
        if (words := len(sentence.split())) > most:
            yield f"{words} words, at most {most}: {' '.join(sentence.split()[:8])} …"
