"""The states of a stack: which of them take a deployment, and the way out of the others."""

from typing import TYPE_CHECKING, Literal

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.errors import ToolError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

UPDATED_FROM = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)

_WAYS_OUT = {
    "ROLLBACK_COMPLETE": (
        (
            "The first deployment of {stack} failed and was rolled back. Only its name is left, "
            "which takes no other deployment."
        ),
        "Put right what failed, free the name, then deploy again: {destroy}",
    ),
    "ROLLBACK_FAILED": (
        "The first deployment of {stack} failed, and its rollback could not remove everything.",
        "Put right what the reasons name, free the stack's name, then deploy again: {destroy}",
    ),
    "CREATE_FAILED": (
        "The first deployment of {stack} failed and was not rolled back.",
        "Put right what failed, free the stack's name, then deploy again: {destroy}",
    ),
    "UPDATE_ROLLBACK_COMPLETE": (
        "The deployment of {stack} failed and was rolled back.",
        "docs/operations.md#a-deployment-was-rolled-back",
    ),
    "UPDATE_ROLLBACK_FAILED": (
        "A deployment of {stack} failed, and its rollback did not end.",
        (
            "Put right what the reasons name, then let the rollback go on: "
            "aws cloudformation continue-update-rollback --stack-name {stack}"
        ),
    ),
    "UPDATE_FAILED": (
        "A deployment of {stack} failed and was not rolled back.",
        "Roll it back, then deploy again: aws cloudformation rollback-stack --stack-name {stack}",
    ),
    "DELETE_FAILED": (
        "{stack} was to be deleted, and something could not be.",
        (
            "Remove what the reasons name, then go on: {destroy}. To leave it behind: "
            "aws cloudformation delete-stack --stack-name {stack} --retain-resources {failed}"
        ),
    ),
}


def kind_of_change(
    account: Account, environment: Environment, stack: "StackTypeDef | None"
) -> Literal["CREATE", "UPDATE"]:
    """Return what a deployment does to a stack.

    Raises:
        ToolError: the stack takes none in its state.
    """
    # A change set that was never executed leaves a stack of no resources.
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return "CREATE"
    status = stack["StackStatus"]
    if status in UPDATED_FROM:
        return "UPDATE"
    raise stuck(environment, status, account.failed_resources(stack["StackId"]))


def stuck(environment: Environment, status: str, failed: dict[str, str]) -> ToolError:
    """Return what a state means, and the way out of it.

    Args:
        environment: the stack's.
        status: the stack's.
        failed: the resources that failed, each with its reason.
    """
    confirm = f" CONFIRM={environment.stack_name}" if environment.production else ""
    problem, advice = _WAYS_OUT.get(
        status,
        (
            "Something else is being done to {stack}.",
            "Wait until it has ended: aws cloudformation describe-stacks --stack-name {stack}",
        ),
    )
    words = {
        "stack": environment.stack_name,
        "destroy": f"make destroy ENV={environment.name}{confirm}",
        "failed": " ".join(failed),
    }
    lines = [f"  {name}: {reason}" for name, reason in failed.items()]
    return ToolError(
        "\n".join([f"{problem.format(**words)} ({status})", *lines]), advice.format(**words)
    )
