"""The page that says what the samples take of uploads."""

import re

from tandem_tools.paths import PROJECT


def sizes_on_the_page() -> str:
    """Return the words of its section, with no full stops."""
    page = (PROJECT / "docs/operations.md").read_text()
    (section,) = re.findall(r"## Sizes of uploads\n(.*?)\n## ", page, re.DOTALL)
    return " ".join(section.split()).replace(".", " ")
