"""Which alarms hold up a release."""

from typing import Any

import pytest

from tandem_tools.deploy.alarms import gates, require_quiet
from tandem_tools.deploy.aws import Account
from tandem_tools.errors import ToolError
from tandem_tools.template import load_template

TEMPLATE = load_template()


class Alarms:
    """CloudWatch, which tells of every alarm that is on where no names are asked for."""

    def __init__(self, *on: str) -> None:
        self.on = on

    def describe_alarms(self, *, AlarmNames: list[str], StateValue: str) -> Any:  # noqa: N803
        """Return those of the alarms that are on."""
        assert StateValue == "ALARM"
        found = [name for name in self.on if not AlarmNames or name in AlarmNames]
        return {"MetricAlarms": [{"AlarmName": one, "StateReason": "1 > 0"} for one in found]}


def account(stands: dict[str, str], *on: str) -> Account:
    """Return an account with a stack of some resources, and with alarms that are on."""
    made = Account()
    made.__dict__["alarms"] = Alarms(*on)
    made.__dict__["physical_ids"] = lambda _: stands
    return made


def test_every_alarm_of_the_traffic_that_is_on_is_named() -> None:
    stands = {name: f"tandem-dev-{name}-1A2B" for name in TEMPLATE["Resources"]}
    for name in gates(TEMPLATE):
        with pytest.raises(ToolError, match=stands[name]) as refused:
            require_quiet(account(stands, stands[name], "of-another-stack"), "tandem-dev", TEMPLATE)
        assert "of-another-stack" not in refused.value.problem


def test_a_stack_that_has_no_such_alarm_yet_is_not_held_up_by_another_stacks() -> None:
    require_quiet(account({"TaskTable": "t"}, "of-another-stack"), "tandem-dev", TEMPLATE)
