"""The template with what docs/how-to/own-resources.md adds to it."""

from textwrap import indent

from tandem_tools.paths import PROJECT
from tests.factories.pages import blocks, python_blocks

PAGE = PROJECT / "docs" / "how-to" / "own-resources.md"
NAMES_END = "        # === The end of yours ===\n"
OWN_END = "  # === The end of yours ====="
STATEMENT = """          - Sid: Processors
            Effect: Allow
            Action: sts:GetCallerIdentity
            Resource: "*" # STS has no resource to name, and AWS asks nobody for this permission
"""


def processor() -> str:
    """Return the page's processor."""
    (source,) = python_blocks("docs/how-to/own-resources.md")
    return source


def with_own_resources(template: str) -> str:
    """Return a template with the blocks of the page where its text says.

    Args:
        template: the text of a project's template.
    """
    written = [one for one in blocks(PAGE) if one.language == "yaml"]
    resources, archive, names, parameters, condition, vpc, interfaces = (
        indent(one.text, " " * spaces)
        for one, spaces in zip(written, (2, 10, 8, 2, 2, 6, 10), strict=True)
    )
    for place, added in (
        (OWN_END, f"{resources}\n{OWN_END}"),
        (STATEMENT, archive + interfaces),
        (NAMES_END, names + NAMES_END),
        ("\nParameters:\n", f"\nParameters:\n{parameters}"),
        ("\nConditions:\n", f"\nConditions:\n{condition}"),
        ("      Role: !GetAtt ApiRole.Arn\n", f"      Role: !GetAtt ApiRole.Arn\n{vpc}"),
        ("      Role: !GetAtt WorkerRole.Arn\n", f"      Role: !GetAtt WorkerRole.Arn\n{vpc}"),
    ):
        assert template.count(place) == 1, place
        template = template.replace(place, added)
    return template
