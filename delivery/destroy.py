"""`make destroy`: delete a deployment, and say what stays."""

from delivery.aws import Account
from delivery.environments import Environment
from local.errors import StackError
from local.template import Node, load_template

KEPT = frozenset({"Retain", "RetainExceptOnCreate"})

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
        StackError: it was refused, or there is no such stack.
    """
    environment = Environment.read(name)
    stack = environment.stack_name
    if environment.production and confirm != stack:
        raise StackError(
            "Production is not deleted by accident.",
            f"Say which: make destroy ENV={name} CONFIRM={stack}",
        )
    account = Account()
    account.outputs(stack)  # there is such a stack
    ids = account.physical_ids(stack)
    print(f"Deleting {stack} …", flush=True)
    account.delete(stack)
    print(f"{stack} is deleted. What holds data stays, and goes on costing:")
    for line in left(ids, protected=environment.production):
        print(line)


def left(ids: dict[str, str], *, protected: bool) -> list[str]:
    """Return what outlives a stack, each with the commands that remove it for good."""
    resources: Node = load_template()["Resources"]
    lines = []
    for name, physical_id in sorted(ids.items()):
        one = resources.get(name, {})
        if one.get("DeletionPolicy") in KEPT:
            lines.append(f"  {name}: {physical_id}")
            commands = [UNPROTECTED_BY.get(one["Type"])] if protected else []
            commands.append(REMOVED_BY[one["Type"]])
            lines += [f"    {command.format(physical_id)}" for command in commands if command]
    return lines
