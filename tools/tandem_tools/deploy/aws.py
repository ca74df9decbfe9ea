"""The account that a deployment goes to: whatever this machine's AWS settings name."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.deploy.refusals import told
from tandem_tools.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        StackResourceSummaryTypeDef,
        StackSummaryTypeDef,
        StackTypeDef,
    )
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient


ANOTHER_REGION = "Another region: AWS_REGION=eu-central-1 make …"


class Account:
    """The stacks of an account. With AWS_ENDPOINT_URL, of an emulator."""

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

    @cached_property
    def secrets_manager(self) -> "SecretsManagerClient":
        """Secrets Manager."""
        return boto3.client("secretsmanager")

    @property
    def region(self) -> str:
        """The region that is chosen."""
        return self.cloudformation.meta.region_name

    def identity(self) -> str:
        """Return which account and region this is, in words.

        Raises:
            ToolError: AWS does not say who asks: no credentials, none that it takes, no region.
        """
        try:
            account = boto3.client("sts").get_caller_identity()["Account"]
            region = self.region
        except (BotoCoreError, ClientError) as error:
            raise told(error) from None
        except ValueError as error:  # botocore's own, of an address
            raise ToolError(f"{error}.", "Put AWS_ENDPOINT_URL right, or unset it.") from None
        return f"account {account}, region {region}"

    def stack(self, name: str) -> "StackTypeDef | None":
        """Return what is known of a stack, by its name or its id. None when there is none."""
        try:
            [stack] = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        return stack

    def last_deleted(self, name: str) -> "StackSummaryTypeDef | None":
        """Return the stack of that name that was deleted last, of the last 90 days."""
        pages = self.cloudformation.get_paginator("list_stacks").paginate(
            StackStatusFilter=["DELETE_COMPLETE"]
        )
        found = [stack for page in pages for stack in page["StackSummaries"]]
        named = [stack for stack in found if stack["StackName"] == name]
        return max(named, key=lambda one: one["CreationTime"], default=None)

    def need_stack(self, name: str) -> "StackTypeDef":
        """Return what is known of a stack.

        Raises:
            ToolError: there is no such stack.
        """
        stack = self.stack(name)
        if stack is None:
            raise ToolError(
                f"There is no stack {name} in {self.region}.",
                ANOTHER_REGION,
            )
        return stack

    def outputs(self, stack_name: str) -> dict[str, str]:
        """Return a stack's outputs by name.

        Raises:
            ToolError: there is no such stack.
        """
        found = self.need_stack(stack_name).get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def physical_ids(self, stack_name: str) -> dict[str, str]:
        """Return what AWS calls each resource of a stack, by the template's names."""
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in self._resources(stack_name)
            if "PhysicalResourceId" in resource
        }

    def failed_resources(self, stack_id: str) -> dict[str, str]:
        """Return the resources of a stack whose last change failed, each with its reason."""
        return {
            resource["LogicalResourceId"]: resource.get("ResourceStatusReason", "no reason given")
            for resource in self._resources(stack_id)
            if resource["ResourceStatus"].endswith("_FAILED")
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
