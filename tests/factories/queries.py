"""The Logs Insights queries of the documentation."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "find-in-logs.md"
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```logs-insights (.+)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    title: str
    groups: tuple[str, ...]
    """The functions in whose log groups it looks."""
    text: str


def saved_queries() -> list[Query]:
    """Return the queries of the page, each by the heading that it stands under."""
    _, *parts = _HEADING.split(PAGE.read_text())
    found = zip(parts[::2], map(_BLOCK.search, parts[1::2]), strict=True)
    return [
        Query(title, tuple(block[1].split()), block[2].rstrip())
        for title, block in found
        if block is not None
    ]
