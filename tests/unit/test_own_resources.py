"""What docs/how-to/own-resources.md makes of the template."""

from pathlib import Path

import pytest

from tandem_tools.template import TEMPLATE_FILE, Node, load_template
from tests.factories.own_resources import with_own_resources
from tests.factories.transformed import transformed

RUN_PROCESSORS = {"ApiFunction", "WorkerFunction"}
SUBNETS = {"ProcessorSubnets": "subnet-1,subnet-2", "ProcessorSecurityGroups": "sg-1"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Node:
    file: Path = tmp_path_factory.mktemp("own") / "template.yaml"
    file.write_text(with_own_resources(TEMPLATE_FILE.read_text()))
    return load_template(file)


def test_the_functions_that_run_processors_are_put_into_the_vpc(template: Node) -> None:
    (made,) = transformed(SUBNETS, template=template)
    functions = {
        name: one["Properties"].get("VpcConfig")
        for name, one in made["Resources"].items()
        if one["Type"] == "AWS::Lambda::Function"
    }
    assert {name for name, vpc in functions.items() if vpc} == RUN_PROCESSORS
    inside = {
        "SubnetIds": {"Ref": "ProcessorSubnets"},
        "SecurityGroupIds": {"Ref": "ProcessorSecurityGroups"},
    }
    for name in RUN_PROCESSORS:
        assert functions[name]["Fn::If"][:2] == ["ProcessorsInVpc", inside]


def test_each_function_that_runs_processors_knows_the_resources(template: Node) -> None:
    (made,) = transformed({}, template=template)
    for name in RUN_PROCESSORS:
        variables = made["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables["ARCHIVE_BUCKET"] == {"Ref": "Archive"}
        assert variables["ARCHIVE_INDEX"] == {"Ref": "ArchiveIndex"}


def test_a_function_is_deployed_after_what_its_processors_may_do(template: Node) -> None:
    (made,) = transformed({}, template=template)
    for name in RUN_PROCESSORS:
        needs = made["Resources"][name]["DependsOn"]
        assert "ProcessorPolicy" in ([needs] if isinstance(needs, str) else needs)
