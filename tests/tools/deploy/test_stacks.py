"""What a deployment does to a stack in each of its states."""

from collections.abc import Mapping
from typing import Any

import pytest

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.destroy import delete
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.stacks import UPDATED_FROM, kind_of_change
from tandem_tools.errors import ToolError
from tests.unit.runbook import SECTIONS

REASONS = {"TaskTable": "it has deletion protection"}


class AccountOfFailures(Account):
    """An account whose stacks have resources that failed."""

    def failed_resources(self, stack_id: str) -> dict[str, str]:
        """Return the same for any stack."""
        return REASONS


def kind(status: str | None, environment: str = "dev") -> str:
    stack: Any = status and {"StackStatus": status, "StackId": "arn:stack"}
    return kind_of_change(AccountOfFailures(), Environment.read(environment), stack)


@pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS"])
def test_a_stack_that_is_not_there_or_was_only_looked_at_is_created(status: str | None) -> None:
    assert kind(status) == "CREATE"


@pytest.mark.parametrize("status", sorted(UPDATED_FROM))
def test_a_stack_that_stands_is_updated(status: str) -> None:
    assert kind(status) == "UPDATE"


WAYS: Mapping[str, tuple[str, str]] = {
    "ROLLBACK_COMPLETE": ("was rolled back", "make destroy ENV=dev"),
    "ROLLBACK_FAILED": ("could not remove everything", "make destroy ENV=dev"),
    "CREATE_FAILED": ("was not rolled back", "make destroy ENV=dev"),
    "UPDATE_ROLLBACK_FAILED": (
        "did not end",
        "aws cloudformation continue-update-rollback --stack-name tandem-dev",
    ),
    "UPDATE_FAILED": ("was not rolled back", "rollback-stack --stack-name tandem-dev"),
    "DELETE_FAILED": ("could not be", "make destroy ENV=dev"),
    "UPDATE_IN_PROGRESS": ("Something else is being done", "Wait"),
    "DELETE_IN_PROGRESS": ("Something else is being done", "Wait"),
}


@pytest.mark.parametrize("status", WAYS)
def test_a_stack_that_takes_no_deployment_says_why_and_what_to_do(status: str) -> None:
    with pytest.raises(ToolError) as refused:
        kind(status)
    meaning, way_out = WAYS[status]
    assert meaning in refused.value.problem
    assert f"({status})" in refused.value.problem
    assert "TaskTable: it has deletion protection" in refused.value.problem
    assert way_out in refused.value.advice


class AccountOfOne(AccountOfFailures):
    """An account with one stack, which it deletes no part of."""

    def __init__(self, status: str) -> None:
        self.status = status

    def stack(self, name: str) -> Any:
        """Return the stack."""
        return {"StackName": name, "StackId": "arn:stack", "StackStatus": self.status}


@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    ],
)
def test_a_stack_that_is_being_updated_is_not_deleted_and_says_so(status: str) -> None:
    # CloudFormation would say that it cannot be deleted while in this status.
    with pytest.raises(ToolError, match=rf"Something else is being done.*\({status}\)") as refused:
        delete(AccountOfOne(status), Environment.read("dev"))
    assert "Wait until it has ended" in refused.value.advice


def test_production_is_freed_by_its_name() -> None:
    with pytest.raises(ToolError, match="make destroy ENV=prod CONFIRM=tandem-prod"):
        kind("ROLLBACK_COMPLETE", "prod")


@pytest.mark.parametrize("status", [one for one in WAYS if "IN_PROGRESS" not in one])
def test_the_runbook_has_each_state_that_needs_a_way_out(status: str) -> None:
    assert f"`{status}`" in SECTIONS["a-deployment-was-rolled-back"]
