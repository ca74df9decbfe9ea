"""Each kind of deployment is linted with its conditions decided."""

from copy import deepcopy
from typing import Any

import pytest

from tandem_tools.check.deployments import KINDS, REGIONS, decided, faults
from tandem_tools.deploy.parameters import conditions, defaults
from tandem_tools.template import load_template

type Node = dict[str, Any]

TEMPLATE = load_template()


def with_resource(name: str, resource: Node) -> Node:
    template = deepcopy(TEMPLATE)
    template["Resources"][name] = resource
    return template


def test_every_condition_holds_for_one_kind_and_not_for_another() -> None:
    held = [conditions(TEMPLATE, defaults(TEMPLATE) | values) for values in KINDS.values()]
    emulated = {"OnAws"}  # no kind is for the emulator
    for name in TEMPLATE["Conditions"].keys() - emulated:
        assert {one[name] for one in held} == {True, False}, name


def test_a_decided_template_has_what_is_made_and_no_condition() -> None:
    values = defaults(TEMPLATE) | KINDS["own issuer"]
    left = decided(TEMPLATE, values)
    assert "UserPool" not in left["Resources"]
    assert "Conditions" not in left
    assert "Fn::If" not in str(left)
    assert left["Parameters"]["JwtAudience"]["Default"] == "tandem"


@pytest.mark.parametrize(
    ("resource", "kind", "other", "fault"),
    [
        (
            {
                "Type": "AWS::SNS::Topic",
                "Properties": {
                    "DisplayName": {
                        "Fn::If": ["MakesUserPool", "people", {"Fn::GetAtt": "UserPool.Arn"}]
                    }
                },
            },
            "own issuer",
            "default",
            "UserPool",
        ),
        (
            {
                "Type": "AWS::SNS::Topic",
                "Condition": "UsesSnapStart",
                "Properties": {"FifoTopic": "perhaps"},
            },
            "SnapStart",
            "default",
            "'perhaps' is not of type 'boolean'",
        ),
        (
            {"Type": "AWS::AppRunner::Service", "Condition": "AllowsOrigins", "Properties": {}},
            "all that is optional",
            "default",
            "does not exist in 'sa-east-1'",
        ),
    ],
)
def test_what_is_wrong_with_one_kind_alone_is_found(
    resource: Node, kind: str, other: str, fault: str
) -> None:
    template = with_resource("Seeded", resource)
    assert any(fault in one for one in faults(template, kind)), faults(template, kind)
    assert not any(fault in one for one in faults(template, other))


def test_a_region_is_among_them_that_an_account_enables_first() -> None:
    assert len(set(REGIONS)) == 5
    assert "af-south-1" in REGIONS
