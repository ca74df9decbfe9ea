"""The account that a deployment goes to: whatever this machine's AWS settings name."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackResourceSummaryTypeDef, StackTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


class Account:
    """The stacks of an account; with AWS_ENDPOINT_URL, of an emulator."""

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """CloudFormation."""
        return boto3.client("cloudformation")

    @cached_property
    def alarms(self) -> Any:
        """CloudWatch."""
        return boto3.client("cloudwatch")

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda."""
        return boto3.client("lambda")

    @cached_property
    def s3(self) -> "S3Client":
        """S3."""
        return boto3.client("s3")

    def identity(self) -> str:
        """Return which account and region this is, in words.

        Raises:
            ToolError: there are no credentials, or none that AWS takes.
        """
        try:
            account = boto3.client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise ToolError(
                f"There are no credentials that AWS takes: {error}",
                "Sign in (aws configure, aws sso login), or name a profile: AWS_PROFILE=…",
            ) from None
        return f"account {account}, region {self.cloudformation.meta.region_name}"

    def stack(self, name: str) -> "StackTypeDef | None":
        """Return what is known of a stack, by its name or its id; none when there is none."""
        try:
            [stack] = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        return stack

    def need_stack(self, name: str) -> "StackTypeDef":
        """Return what is known of a stack.

        Raises:
            ToolError: there is no such stack.
        """
        stack = self.stack(name)
        if stack is None:
            raise ToolError(
                f"There is no stack {name} in {self.cloudformation.meta.region_name}.",
                "Another region: AWS_DEFAULT_REGION=eu-central-1 make …",
            )
        return stack

    def outputs(self, stack_name: str) -> dict[str, str]:
        """Return a stack's outputs by name.

        Raises:
            ToolError: there is no such stack.
        """
        found = self.need_stack(stack_name).get("Outputs", [])
        return {one["OutputKey"]: one["OutputValue"] for one in found}

    def physical_ids(self, stack_name: str) -> dict[str, str]:
        """Return what AWS calls each resource of a stack, by the template's names."""
        return {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for one in self._resources(stack_name)
            if "PhysicalResourceId" in one
        }

    def failed_resources(self, stack_id: str) -> dict[str, str]:
        """Return the resources of a stack whose last change failed, each with its reason."""
        return {
            one["LogicalResourceId"]: one.get("ResourceStatusReason", "no reason given")
            for one in self._resources(stack_id)
            if one["ResourceStatus"].endswith("_FAILED")
        }

    def _resources(self, stack_name: str) -> "Iterator[StackResourceSummaryTypeDef]":
        pages = self.cloudformation.get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=stack_name):
            yield from page["StackResourceSummaries"]


def api_url(outputs: dict[str, str]) -> str:
    """Return where the API of a stack answers.

    An emulator serves it below a path of its own (docs/emulator.md): its host name is of AWS.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"{endpoint}/_aws/execute-api/{outputs['ApiId']}/$default"
    return outputs["ApiUrl"]
