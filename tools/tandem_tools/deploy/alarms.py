"""The alarms that take a release back: one that is on already would take back any release."""

from typing import Any

from tandem_tools.deploy.aws import Account
from tandem_tools.errors import ToolError
from tandem_tools.template import Node


def gates(template: Node) -> set[str]:
    """Return the template's names of the alarms that CodeDeploy looks at while traffic moves."""
    return {
        name
        for resource in template["Resources"].values()
        for name in _names(
            resource.get("Properties", {}).get("DeploymentPreference", {}).get("Alarms")
        )
    }


def _names(node: Any) -> set[str]:
    """Return all names that a list of alarms refers to, in either arm of a condition."""
    match node:
        case {"Ref": name}:
            return {name}
        case {"Fn::If": [_, *arms]}:
            return _names(arms)
        case list():
            return {name for part in node for name in _names(part)}
    return set()


def require_quiet(account: Account, stack_name: str, template: Node) -> None:
    """Refuse a release while one of its alarms is on.

    Raises:
        ToolError: CodeDeploy would take the release back, whatever it is.
    """
    found = account.physical_ids(stack_name)
    alarms = sorted(found[name] for name in gates(template) if name in found)
    if not alarms:  # CloudWatch would name every alarm of the account
        return
    loud = [
        f"  {alarm['AlarmName']}: {alarm['StateReason']}"
        for alarm in account.alarms.describe_alarms(AlarmNames=alarms, StateValue="ALARM")[
            "MetricAlarms"
        ]
    ]
    if loud:
        raise ToolError(
            "\n".join(["CodeDeploy would take the release back, for these alarms are on:", *loud]),
            "Wait until they are over. A release that repairs what they tell of moves its traffic "
            "at once, untried: PARAMETERS=DeploymentType=Direct",
        )
