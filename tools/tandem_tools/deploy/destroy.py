"""`make destroy`: delete a deployment, and say what stays."""

from collections.abc import Mapping

from tandem_tools.deploy import changes
from tandem_tools.deploy.aws import ANOTHER_REGION, Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.events import Events
from tandem_tools.deploy.refusals import cut_short
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
    account = Account()
    print(f"{name_of_stack}: {account.identity()}")
    if account.stack(name_of_stack) is None:
        raise _gone(account, environment)
    kept = delete(account, environment)
    if not kept:
        print(f"{name_of_stack} is deleted, and nothing of it stays.")
        return
    print(f"{name_of_stack} is deleted. What holds data stays, and goes on costing:")
    print("\n".join(left(kept, protected=environment.production)))


def _gone(account: Account, environment: Environment) -> ToolError:
    """Return that there is no stack, and what was left when it was deleted, if it was."""
    problem = f"There is no stack {environment.stack_name} in {account.region}."
    deleted = account.last_deleted(environment.stack_name)
    kept = _kept(Events(account, deleted["StackId"])) if deleted else {}
    if not deleted or not kept:
        return ToolError(problem, ANOTHER_REGION)
    lines = left(kept, protected=environment.production)
    return ToolError(
        "\n".join([problem, "When it was deleted, this stayed:", *lines]),
        "What was not removed since goes on costing.",
    )


def delete(account: Account, environment: Environment) -> dict[str, tuple[str, str]]:
    """Delete an environment's stack, and return what outlives it: type and id by name.

    Raises:
        ToolError: it failed, or there is no such stack, or it is being changed.
    """
    name = environment.stack_name
    stack = account.need_stack(name)
    stack_id, status = stack["StackId"], stack["StackStatus"]
    if status == "REVIEW_IN_PROGRESS":  # it has no resource, and is gone at once
        account.cloudformation.delete_stack(StackName=stack_id)
        return {}
    if status.endswith("_IN_PROGRESS") and status != "DELETE_IN_PROGRESS":
        raise stuck(environment, status, {})
    print(f"Deleting {name} …", flush=True)
    events = Events(account, stack_id)
    with cut_short(
        f"CloudFormation goes on with deleting {name}. The same command again waits for its end, "
        "and lists what stays."
    ):
        account.cloudformation.delete_stack(StackName=stack_id)
        ended = events.follow(changes.POLL_SECONDS)
    if ended != "DELETE_COMPLETE":
        raise stuck(environment, ended, events.failures())
    return _kept(events)


def _kept(events: Events) -> dict[str, tuple[str, str]]:
    """Return what a deletion has left alone because it holds data: type and id by name."""
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
