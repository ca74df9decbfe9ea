"""Deployments by `make deploy`, into the emulator instead of AWS."""

import shlex

from delivery.aws import Account
from local.artifact import machine_architecture


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
