"""The template's alarms, and the runbook that they lead to."""

import re

from tandem_tools.template import TEMPLATE_FILE, Node, load_template

RESOURCES: Node = load_template()["Resources"]
ALARMS: dict[str, Node] = {
    name: one["Properties"]
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::CloudWatch::Alarm"
}
SERVING = [
    name
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::Serverless::Function" and name != "CanaryFunction"
]
"""The functions; CodeDeploy calls the canary, and sees how it ends."""

RUNBOOK = (TEMPLATE_FILE.parent / "docs" / "operations.md").read_text()


def sections_of(page: str) -> dict[str, str]:
    """Return the sections of a page by the anchors that lead to them."""
    parts = re.split(r"^##+ (.+)$", page, flags=re.MULTILINE)[1:]
    return {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-"): text
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


SECTIONS = sections_of(RUNBOOK)


def section(alarm: Node) -> str:
    """Return the anchor of the section that an alarm's description leads to."""
    said: str = alarm["AlarmDescription"]["Fn::Sub"]
    found = re.fullmatch(r".+\. Runbook: \$\{RunbookUrl\}#([a-z-]+)", said)
    assert found is not None, said
    return found[1]
