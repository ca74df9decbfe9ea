"""The fenced blocks of the documentation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tandem_tools.paths import PROJECT

PAGES = (
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "SECURITY.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
    *sorted((PROJECT / "functions").rglob("*.md")),
    *sorted((PROJECT / "tools").rglob("*.md")),
)
_FENCE = re.compile(r"^( *)```(\S+)(?: (.*))?$")
_UNTESTED = re.compile(r'untested="([^"]+)"')
_API = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    language: str
    untested: str
    """Why no test runs it; empty when one does."""
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def calls_the_stack(self) -> bool:
        """Whether it calls the API of `make run`."""
        return self.language == "console" and _API in self.text


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that name their language."""
    lines = page.read_text().splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        number += 1
        if fence is None:
            continue
        indent, language, info = fence.groups()
        start = number
        while lines[number] != f"{indent}```":
            number += 1
        reason = _UNTESTED.search(info or "")
        yield Block(
            page=str(page.relative_to(PROJECT)),
            line=start,
            language=language,
            untested=reason[1] if reason else "",
            text=dedent("\n".join(lines[start:number])) + "\n",
        )
        number += 1


def python_blocks(page: str) -> list[str]:
    """Return the Python of a page, which is named as in the repository."""
    return code_blocks(page, "python")


def code_blocks(page: str, language: str) -> list[str]:
    """Return the code of a page in one language."""
    return [block.text for block in blocks(PROJECT / page) if block.language == language]


BLOCKS = [block for page in PAGES for block in blocks(page)]


@dataclass(frozen=True)
class Command:
    """A command of a console block, with what the page shows of its output."""

    text: str
    shown: str


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block in their order."""
    found: list[Command] = []
    for part in re.split(r"(?m)^\$ ", block.text)[1:]:
        lines = part.splitlines()
        last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
        shown = "\n".join(lines[last + 1 :]).strip()
        found.append(Command("\n".join(lines[: last + 1]), shown))
    return found
