"""The template's table, queues and bucket with nothing attached to them.

No worker takes a message and no schedule closes a window: what a function did stays to be seen.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tandem_tools.harness.function import Function
from tandem_tools.paths import BUILD
from tandem_tools.ports import free_port
from tandem_tools.run.aws import Aws
from tandem_tools.run.deployment import STACK_NAME, stack_outputs
from tandem_tools.run.emulator import Emulator
from tandem_tools.template import load_template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

RESOURCES = (
    "TaskTable",
    "TaskQueue",
    "DeadLetterQueue",
    "CallbackQueue",
    "CallbackDeadLetterQueue",
    "CallbackSecret",
    "ProcessorSettings",
    "TaskBucket",
)
IDENTITY = ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::Logs::LogGroup")
"""The functions' roles, and what these name besides."""

SINKS = ("ReportsTopic", "ReportWebhookSecret")
"""What the report's role names when parameters ask for it."""

OF_DEPLOYMENTS = ("CanaryRole", "DeploymentRole")
"""Roles that name functions, of which there are none here (test_canary.py has them)."""

FUNCTION_PROPERTIES = ("Handler", "Timeout", "MemorySize")
LOG_LEVEL = "ApplicationLogLevel"

type Node = dict[str, Any]


class Resources:
    """The resources in an emulator of their own, for as long as the `with` block runs.

    Example:
        with Resources(tmp_path) as resources:
            worker = resources.function("WorkerFunction")
    """

    def __init__(
        self,
        folder: Path,
        *,
        parameters: Mapping[str, str] | None = None,
        roles: bool = False,
    ) -> None:
        """Prepare them. Nothing runs until the block is entered.

        Args:
            folder: where the emulator's log and temporary files go.
            parameters: values for the template's parameters.
            roles: make the functions' roles too.
        """
        self._emulator = Emulator(folder, free_port())
        self._template = load_template()
        self._parameters = parameters or {}
        self._names = [
            name
            for name, resource in self._template["Resources"].items()
            if name in RESOURCES
            or (roles and name in SINKS)
            or (roles and resource["Type"] in IDENTITY and name not in OF_DEPLOYMENTS)
        ]
        self._outputs: dict[str, str] = {}
        self.aws = Aws(self._emulator.endpoint_url)

    def __enter__(self) -> Self:
        """Start the emulator and make the resources."""
        self._emulator.start()
        try:
            self._create()
        except BaseException:
            self._emulator.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the emulator."""
        self._emulator.stop()

    @property
    def table(self) -> str:
        """The table's name."""
        return self._outputs["TaskTable"]

    @property
    def queue_url(self) -> str:
        """The queue of tasks."""
        return self._outputs["TaskQueue"]

    @property
    def dead_letter_queue_url(self) -> str:
        """The queue of dead letters."""
        return self._outputs["DeadLetterQueue"]

    def physical_ids(self) -> dict[str, str]:
        """Return what AWS calls each resource of the template."""
        found = self.aws.cloudformation.describe_stack_resources(StackName=STACK_NAME)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in found["StackResources"]
        }

    def function(self, name: str, *, build_dir: Path = BUILD) -> Function:
        """Return a built function as the template declares it, over these resources."""
        said = {
            key: self._outputs[f"{name}{index}"]
            for index, key in enumerate(_declared(self._template, name))
        }
        log_level = said.pop(LOG_LEVEL)
        handler, timeout, memory = (said.pop(key) for key in FUNCTION_PROPERTIES)
        return Function(
            folder=build_dir / name,
            handler=handler,
            timeout_seconds=int(timeout),
            memory_mb=int(memory),
            platform_log_level=log_level,
            environment=said | {"AWS_ENDPOINT_URL": self._emulator.endpoint_url},
        )

    def _create(self) -> None:
        cloudformation = self.aws.cloudformation
        given: list[ParameterTypeDef] = [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in self._parameters.items()
        ]
        template = _without_functions(self._template, self._names)
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateBody=json.dumps(template),
            Parameters=given,
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK_NAME, WaiterConfig={"Delay": 1}
        )
        self._outputs = stack_outputs(self.aws)


def declared_variables(template: Node, function: str) -> Node:
    """Return a function's environment variables, with the template's expressions as values."""
    common: Node = template["Globals"]["Function"]["Environment"]["Variables"]
    own: Node = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return common | own


def functions_of(template: Node) -> list[str]:
    """Return the names of the template's functions, but for the one that only knows the others."""
    resources = template["Resources"].items()
    found = [
        name for name, resource in resources if resource["Type"] == "AWS::Serverless::Function"
    ]
    return [name for name in found if name != "CanaryFunction"]


def _declared(template: Node, function: str) -> Node:
    properties = template["Resources"][function]["Properties"]
    own = {name: properties[name] for name in FUNCTION_PROPERTIES}
    own[LOG_LEVEL] = template["Globals"]["Function"]["LoggingConfig"][LOG_LEVEL]
    return own | declared_variables(template, function)


def _without_functions(template: Node, resources: list[str]) -> Node:
    """Return a template of these resources alone.

    What it declares for the functions becomes outputs: so it is resolved as in a deployment.
    """
    outputs = {name: {"Value": {"Ref": name}} for name in RESOURCES}
    for function in functions_of(template):
        for index, value in enumerate(_declared(template, function).values()):
            outputs[f"{function}{index}"] = {"Value": value}
    return {
        "Parameters": template["Parameters"],
        "Conditions": template["Conditions"],
        "Resources": {name: template["Resources"][name] for name in resources},
        "Outputs": outputs,
    }
