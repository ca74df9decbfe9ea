"""Deployments by `make deploy`, into the emulator instead of AWS."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tandem_tools.build.sam import machine_architecture
from tandem_tools.deploy import deploy as deploying
from tandem_tools.deploy.aws import Account


def parameters(**more: str) -> str:
    """Return parameters of a deployment into the emulator as a shell would take them."""
    values = {
        "Emulated": "true",
        "RequireTls": "false",
        "DeploymentType": "Direct",
        "Architecture": machine_architecture(),
    }
    return shlex.join(f"{name}={value}" for name, value in (values | more).items())


def deployed(stack_name: str) -> dict[str, str]:
    """Return the values of a stack's parameters."""
    found = Account().need_stack(stack_name)["Parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in found}


REFUSED = """
  NobodySignals:
    Type: AWS::CloudFormation::WaitConditionHandle
  Refused:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: [TaskTable, TaskBucket, UserPool, ApiIntegration]
    Properties:
      Handle: !Ref NobodySignals
      Timeout: "1"
"""
"""A resource that CloudFormation makes last, and cannot make."""

NETWORK = """
  Network:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.0.0.0/24
"""
"""A resource that can be deleted as long as nobody has put another into it."""


def add_to_the_template(monkeypatch: pytest.MonkeyPatch, resources: str) -> None:
    """Deploy more than the template says.

    Args:
        monkeypatch: until it is undone.
        resources: the further resources as the template would have them.
    """
    pack = deploying.pack

    def pack_more(*args: Any, **kwargs: Any) -> Path:
        packed = pack(*args, **kwargs)
        packed.write_text(
            packed.read_text().replace("\nResources:\n", f"\nResources:{resources}", 1)
        )
        return packed

    monkeypatch.setattr(deploying, "pack", pack_more)


def transform_with_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SAM's transform see each deployment's revision, as it does on AWS.

    The emulator's sees the parameters' defaults alone, and so publishes no later version.
    """
    revisions: list[str] = []
    pack, revision = deploying.pack, deploying.revision

    def known_revision(*args: Any, **kwargs: Any) -> str:
        revisions.append(revision(*args, **kwargs))
        return revisions[-1]

    def pack_for_it(*args: Any, **kwargs: Any) -> Path:
        packed = pack(*args, **kwargs)
        found = packed.read_text()
        asked = re.sub(
            r"(?ms)(^  Revision:.*?\n    Default: ).*?$",
            rf"\g<1>'{revisions[-1]}'",
            found,
            count=1,
        )
        assert asked != found
        packed.write_text(asked)
        return packed

    monkeypatch.setattr(deploying, "revision", known_revision)
    monkeypatch.setattr(deploying, "pack", pack_for_it)
