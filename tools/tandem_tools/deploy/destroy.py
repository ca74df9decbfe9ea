"""`make destroy`: delete a deployment, and say what stays."""

from collections.abc import Mapping

from tandem_tools.deploy import changes
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.events import Events
from tandem_tools.deploy.stacks import stuck
from tandem_tools.errors import ToolError

REMOVED_BY = {
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --table-name {}",
    "AWS::S3::Bucket": "aws s3 rb --force s3://{}",
    "AWS::SecretsManager::Secret": "aws secretsmanager delete-secret --secret-id {}",
    "AWS::Cognito::UserPool": "aws cognito-idp delete-user-pool --user-pool-id {}",
}
"""What removes for good what outlives its stack."""

UNPROTECTED_BY = {
    "AWS::DynamoDB::Table": (
        "aws dynamodb update-table --no-deletion-protection-enabled --table-name {}"
    ),
    "AWS::Cognito::UserPool": (
        "aws cognito-idp update-user-pool --deletion-protection INACTIVE --user-pool-id {}"
    ),
}
"""What comes before that in production."""


def destroy(name: str, confirm: str) -> None:
    """Delete an environment's stack, and print what stays and how that is removed.

    Args:
        name: the environment's.
        confirm: the stack's name, without which production is refused.

    Raises:
        ToolError: it was refused or failed, or there is no such stack.
    """
    environment = Environment.read(name)
    name_of_stack = environment.stack_name
    if environment.production and confirm != name_of_stack:
        raise ToolError(
            "Production is not deleted by accident.",
            f"Say which: make destroy ENV={name} CONFIRM={name_of_stack}",
        )
    kept = delete(Account(), environment)
    if not kept:
        print(f"{name_of_stack} is deleted, and nothing of it stays.")
        return
    print(f"{name_of_stack} is deleted. What holds data stays, and goes on costing:")
    print("\n".join(left(kept, protected=environment.production)))


def delete(account: Account, environment: Environment) -> dict[str, tuple[str, str]]:
    """Delete an environment's stack, and return what outlives it: type and id by name.

    Raises:
        ToolError: it failed, or there is no such stack.
    """
    stack_id = account.need_stack(environment.stack_name)["StackId"]
    print(f"Deleting {environment.stack_name} …", flush=True)
    events = Events(account, stack_id)
    account.cloudformation.delete_stack(StackName=stack_id)
    status = events.follow(changes.POLL_SECONDS)
    if status != "DELETE_COMPLETE":
        raise stuck(environment, status, events.failures())
    return {
        event["LogicalResourceId"]: (event["ResourceType"], event["PhysicalResourceId"])
        for event in events.kept()
        if event["ResourceType"] in REMOVED_BY  # versions of a function go with it
    }


def left(kept: Mapping[str, tuple[str, str]], *, protected: bool) -> list[str]:
    """Return what outlives a stack, each with the commands that remove it for good.

    Args:
        kept: type and physical id of each resource, by the template's name.
        protected: whether its deletion protection is to be taken off first.
    """
    lines = []
    for name, (kind, physical_id) in sorted(kept.items()):
        lines.append(f"  {name}: {physical_id}")
        commands = [UNPROTECTED_BY.get(kind)] if protected else []
        commands.append(REMOVED_BY[kind])
        lines += [f"    {command.format(physical_id)}" for command in commands if command]
    return lines
