"""A function in the environment that `sam local` gives it, as the SAM CLI itself makes that."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

from tandem_tools.environment import for_sam
from tandem_tools.paths import PROJECT, SAM_BIN, program

ASK_SAM = """
import json, sys
from pathlib import Path
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

stacks, _ = SamLocalStackProvider.get_stacks("template.yaml")
functions = SamFunctionProvider(stacks)
values = json.loads(Path("events/env.json").read_text())
given = {"aws_region": "eu-central-1", "env_vars_values": values}
runner = LocalLambdaRunner(None, functions, ".", ".", **given)
environment = runner._make_env_vars(functions.get("ApiFunction")).resolve()
routes = [route.path for route in ApiProvider(stacks, cwd=".").api.routes]
json.dump({"environment": environment, "routes": routes}, sys.stdout)
"""
CALL_DYNAMODB = """
from tandem.aws import clients as aws

def show(request, **_):
    print(request.url)
    raise SystemExit

client = aws.dynamodb()
client.meta.events.register("before-send.dynamodb", show)
client.get_item(TableName="table", Key={"pk": {"S": "1"}})
"""


@cache
def said_by_sam() -> dict[str, Any]:
    """Return what the SAM CLI makes of the template: a function's environment, and routes."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [program(SAM_BIN / "python"), "-c", ASK_SAM],
        cwd=PROJECT,
        env=for_sam(str(SAM_BIN)),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_dynamodb_is_called_at_the_regions_endpoint_not_at_an_accounts() -> None:
    environment = said_by_sam()["environment"]
    assert environment["AWS_ACCOUNT_ID"], "sam local names no account any more"
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", CALL_DYNAMODB],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["https://dynamodb.eu-central-1.amazonaws.com/"], done.stderr


def test_start_api_finds_no_route_as_the_how_to_says() -> None:
    assert said_by_sam()["routes"] == []
