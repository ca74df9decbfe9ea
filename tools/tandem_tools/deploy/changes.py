"""A deployment as a CloudFormation change set, which is given each parameter's value as it is.

`sam deploy` takes values in a language of its own, which cuts them at blanks, takes their quotes
and has no word for an empty value. Here a value is a field of the call, and nothing reads it.
"""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from botocore.exceptions import ClientError

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.events import Events
from tandem_tools.deploy.refusals import cut_short
from tandem_tools.deploy.stacks import stuck
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT, SAM_BIN, program

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import ChangeTypeDef, CreateChangeSetInputTypeDef

POLL_SECONDS = 3.0

ROLE_VARIABLE = "CLOUDFORMATION_ROLE_ARN"
"""Names the role in which CloudFormation works, where the caller alone may do little
(.github/deploy-role.yaml)."""

_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def upload(account: Account, environment: Environment, template: Path) -> str:
    """Upload the code and the template that names it, and return the template's URL.

    Both go below a prefix of the environment's own, so that a role can be confined to it.

    Raises:
        ToolError: the code could not be uploaded.
    """
    packaged = template.with_name("packaged.yaml")
    bucket = environment.code_bucket
    command = [
        program(SAM_BIN / "sam"),
        "package",
        f"--template-file={template}",
        f"--output-template-file={packaged}",
        f"--config-file={PROJECT / 'samconfig.toml'}",
        f"--config-env={environment.section}",
        f"--s3-bucket={bucket}" if bucket else "--resolve-s3",
        f"--s3-prefix={environment.stack_name}",
        "--no-progressbar",
    ]
    done = subprocess.run(
        command,
        cwd=template.parent,
        env=os.environ | {"SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolError(
            f"The code was not uploaded:\n{(done.stdout + done.stderr).strip()}",
            "Put right what the last lines name, then run it again.",
        )
    document = packaged.read_bytes()
    [found] = {bucket.decode() for bucket in re.findall(rb"CodeUri: s3://([^/\s]+)/", document)}
    key = f"{environment.stack_name}/{hashlib.sha256(document).hexdigest()}.template"
    account.s3.put_object(Bucket=found, Key=key, Body=document)
    # CloudFormation reads no signed URL; the client's own endpoint is the region's.
    return f"{account.s3.meta.endpoint_url}/{found}/{key}"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What CloudFormation is about to do to a stack."""

    account: Account
    environment: Environment
    arn: str

    @classmethod
    def create(
        cls,
        account: Account,
        environment: Environment,
        kind: Literal["CREATE", "UPDATE"],
        template_url: str,
        parameters: Mapping[str, str],
    ) -> "ChangeSet | None":
        """Return a change set that is ready. None when there is nothing to change.

        Raises:
            ToolError: CloudFormation refuses the template or a parameter.
        """
        name = f"deploy-{time.time_ns()}"
        request: CreateChangeSetInputTypeDef = {
            "StackName": environment.stack_name,
            "ChangeSetName": name,
            "ClientToken": name,  # the SDK asks again when an answer is lost
            "ChangeSetType": kind,
            "TemplateURL": template_url,
            "Capabilities": cast("list[CapabilityType]", environment.capabilities),
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        }
        if role := os.environ.get(ROLE_VARIABLE):
            request["RoleARN"] = role
        try:
            made = account.cloudformation.create_change_set(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise _refused(error.response["Error"]["Message"]) from None
        change_set = cls(account, environment, made["Id"])
        try:
            status, reason = change_set._outcome()
        except BaseException:
            change_set.discard()
            raise
        if status == "CREATE_COMPLETE":
            return change_set
        change_set.discard()
        if any(text in reason for text in _NO_CHANGES):
            return None
        raise _refused(reason)

    def table(self) -> str:
        """Return the changes, one a line."""
        pages = self.account.cloudformation.get_paginator("describe_change_set")
        found = pages.paginate(ChangeSetName=self.arn, StackName=self.environment.stack_name)
        return "\n".join(_line(change) for page in found for change in page["Changes"])

    def execute(self) -> None:
        """Make the changes, print what happens, and return when the stack stands.

        Raises:
            ToolError: the deployment failed.
        """
        stack = self.account.need_stack(self.environment.stack_name)
        events = Events(self.account, stack["StackId"])
        name = self.environment.stack_name
        with cut_short(
            f"CloudFormation goes on with {name}, and nobody looks. How it ends: aws "
            f"cloudformation describe-stacks --stack-name {name}; then make deploy again, which "
            "does what is left."
        ):
            self.account.cloudformation.execute_change_set(
                ChangeSetName=self.arn,
                StackName=name,
                ClientRequestToken=hashlib.sha256(self.arn.encode()).hexdigest(),
            )
            status = events.follow(POLL_SECONDS)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise stuck(self.environment, status, events.failures())

    def discard(self) -> None:
        """Delete the change set, and the stack that was only made for it: nothing is changed."""
        name = self.environment.stack_name
        self.account.cloudformation.delete_change_set(ChangeSetName=self.arn, StackName=name)
        stack = self.account.stack(name)
        if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            try:
                self.account.cloudformation.delete_stack(StackName=stack["StackId"])
            except ClientError as error:  # a job's role may not: an empty stack stays
                print(f"{name} stays, without any resource: {error}")

    def _outcome(self) -> tuple[str, str]:
        """Return the status in which the change set was made or refused, and the reason."""
        while True:
            found = self.account.cloudformation.describe_change_set(
                ChangeSetName=self.arn, StackName=self.environment.stack_name
            )
            if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                return found["Status"], found.get("StatusReason", "no reason given")
            time.sleep(POLL_SECONDS)


def _refused(reason: str) -> ToolError:
    return ToolError(
        f"CloudFormation refuses the deployment: {reason}",
        "Put right what it names. make check finds most of it.",
    )


def _line(change: "ChangeTypeDef") -> str:
    resource = change["ResourceChange"]
    replaced = {"True": "  REPLACED", "Conditional": "  perhaps replaced"}
    return (
        f"  {resource['Action']:<8}{resource['LogicalResourceId']:<44}{resource['ResourceType']}"
        + replaced.get(resource.get("Replacement", ""), "")
    )
