"""Functions with versions, as releases leave them."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def code(text: str) -> bytes:
    """Return a package of one module."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", text)
    return packed.getvalue()


def publish(name: str, versions: int) -> None:
    """Publish more versions of a function, each of other code."""
    client: LambdaClient = boto3.client("lambda")
    for number in range(versions):
        client.update_function_code(FunctionName=name, ZipFile=code(f"{number} = None"))
        client.publish_version(FunctionName=name)


def make_function(
    name: str, versions: int, live: str, weights: Mapping[str, float] | None = None
) -> None:
    """Make a function with versions from 1 on and the alias `live`.

    Args:
        name: the function's.
        versions: how many are published.
        live: the version that the alias names.
        weights: further versions that get a part of its requests.
    """
    client: LambdaClient = boto3.client("lambda")
    made: Any = boto3.client("iam").create_role(
        RoleName=f"{name}-role", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    client.create_function(
        FunctionName=name,
        Role=made["Role"]["Arn"],
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": code("")},
    )
    publish(name, versions)
    client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion=live,
        RoutingConfig={"AdditionalVersionWeights": dict(weights or {})},
    )


def versions_of(name: str) -> list[str]:
    """Return the versions of a function, the newest last."""
    client: LambdaClient = boto3.client("lambda")
    found = client.list_versions_by_function(FunctionName=name)["Versions"]
    return [one["Version"] for one in found]
