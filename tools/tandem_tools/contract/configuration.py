"""The page of the template's parameters, docs/configuration.md, written from the template."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tandem_tools.paths import PROJECT
from tandem_tools.template import TEMPLATE_FILE, load_template

PAGE = PROJECT / "docs" / "configuration.md"
_HEADING = re.compile(r"^  # --- (.+?) -*$")
_PARAMETER = re.compile(r"^  ([A-Z]\w+):$")
_INTRODUCTION = """# Configuration

<!-- Written by `make docs` from template.yaml. -->

Every parameter of [`template.yaml`](../template.yaml). An environment's values stand in
[`samconfig.toml`](../samconfig.toml), in `parameter_overrides`; `make deploy ENV=dev
PARAMETERS="Name=value"` adds to them for one deployment, and `make run PARAMETERS="Name=value"`
says some for the stack on your machine. [How to deploy](deploy.md). A processor's own limits stand
in its decorator: [how to write one](how-to/write-a-processor.md).
"""


def main(_arguments: Sequence[str] = ()) -> int:
    """Write the page where it is kept, and return the exit code."""
    PAGE.write_text(page())
    print(f"{PAGE}: written")
    return 0


def page() -> str:
    """Return the page: a table for each subject, in the template's order."""
    parameters: dict[str, Any] = load_template()["Parameters"]
    text = _INTRODUCTION
    for subject, names in subjects(TEMPLATE_FILE.read_text()):
        text += f"\n## {subject}\n\n| parameter | default | values | what it does |\n"
        text += "| --- | --- | --- | --- |\n"
        for name in names:
            text += _row(name, parameters[name])
    return text


def subjects(template: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each subject of the parameters' section with the names below it."""
    section = template.partition("\nParameters:\n")[2].partition("\nMappings:\n")[0]
    subject = ""
    names: list[str] = []
    for line in section.splitlines():
        if heading := _HEADING.match(line):
            if names:
                yield subject, names
            subject, names = heading[1], []
        elif parameter := _PARAMETER.match(line):
            names.append(parameter[1])
    yield subject, names


def _row(name: str, about: dict[str, Any]) -> str:
    default = str(about.get("Default", ""))
    shown = f"`{default}`" if default else ""
    description = " ".join(str(about.get("Description", "")).split())
    return f"| `{name}` | {shown} | {_values(about)} | {description} |\n"


def _values(about: dict[str, Any]) -> str:
    if "AllowedValues" in about:
        return ", ".join(f"`{value}`" for value in about["AllowedValues"])
    if "AllowedPattern" in about:
        return f"`{about['AllowedPattern'].replace('|', chr(92) + '|')}`"
    least, most = about.get("MinValue"), about.get("MaxValue")
    if least is not None and most is not None:
        return f"{least:,} to {most:,}"
    return f"{least:,} or more" if least is not None else ""
