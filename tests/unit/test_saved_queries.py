"""Logs Insights has the queries of the documentation, word for word."""

from tandem_tools.template import Node, load_template
from tests.factories.queries import Query, saved_queries

RESOURCES: Node = load_template()["Resources"]
DEFINITIONS = [one for one in RESOURCES.values() if one["Type"] == "AWS::Logs::QueryDefinition"]


def test_every_query_of_the_documentation_is_saved_and_no_other() -> None:
    saved = [
        Query(
            title=one["Properties"]["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}/"),
            groups=tuple(function_of(group) for group in one["Properties"]["LogGroupNames"]),
            text=one["Properties"]["QueryString"],
        )
        for one in DEFINITIONS
    ]
    assert saved == saved_queries()
    assert saved


def function_of(group: Node) -> str:
    """Return the function that writes to a log group of the template."""
    name: str = RESOURCES[group["Ref"]]["Properties"]["LogGroupName"]["Fn::Sub"]
    return name.removeprefix("/aws/lambda/${AWS::StackName}-")


def test_queries_of_two_stacks_do_not_take_each_others_names() -> None:
    names = [one["Properties"]["Name"]["Fn::Sub"] for one in DEFINITIONS]
    assert all(name.startswith("${AWS::StackName}/") for name in names)
    assert len(set(names)) == len(names)


def test_queries_are_left_out_of_the_emulator_which_has_none() -> None:
    assert {one["Condition"] for one in DEFINITIONS} == {"OnAws"}
