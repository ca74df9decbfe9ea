"""An operator's command that fails or is cut short says what it means and how to go on."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from tandem_tools.deploy import changes, cli
from tandem_tools.deploy import deploy as deploying
from tandem_tools.deploy.alarms import require_quiet
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.changes import ChangeSet
from tandem_tools.deploy.cli import main
from tandem_tools.deploy.destroy import delete, destroy
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.events import Events
from tandem_tools.deploy.refusals import cut_short, told
from tandem_tools.errors import ToolError
from tandem_tools.template import load_template


def refusal(code: str, message: str = "no", status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "DescribeStacks")


SKEWED = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (boto.NoRegionError(), "Choose a region"),
        (boto.InvalidRegionError(region_name="eu central"), "Choose a region"),
        (boto.NoCredentialsError(), "Sign in"),
        (boto.ProfileNotFound(profile="nope"), "AWS_PROFILE"),
        (boto.UnauthorizedSSOTokenError(), "aws sso login"),
        (boto.EndpointConnectionError(endpoint_url="https://sts.eu-centrl-1"), "such a region"),
        (boto.ReadTimeoutError(endpoint_url="https://sts"), "Look at your network"),
        (refusal("ExpiredToken"), "Sign in"),
        (refusal("InvalidClientTokenId"), "not enabled"),
        (refusal("SignatureDoesNotMatch"), "Sign in"),
        (refusal("SignatureDoesNotMatch", SKEWED), "The clock"),
        (refusal("InvalidSignatureException", SKEWED), "The clock"),
        (refusal("RequestTimeTooSkewed", status=403), "The clock"),
        (refusal("AccessDenied", status=403), "may not do it"),
        (refusal("Throttling"), "in a minute"),
        (refusal("InternalFailure", status=500), "in a minute"),
        (refusal("ValidationError", "TerminationProtection is enabled"), "Put right what it names"),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), "Run it again"),
        (ClientError({}, "DescribeStacks"), "Put right"),
    ],
)
def test_an_error_of_aws_comes_with_what_gets_past_it(
    error: boto.BotoCoreError | ClientError, advice: str
) -> None:
    found = told(error)
    assert advice in found.advice
    assert found.problem


def failing(error: BaseException, note: str = "") -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        with cut_short(note):
            raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said", "code"),
    [
        (KeyboardInterrupt(), "Interrupted.", 130),
        (refusal("ExpiredToken"), "There are no credentials that AWS takes", 1),
        (boto.EndpointConnectionError(endpoint_url="https://x"), "AWS was not reached", 1),
        (ToolError("It broke.", "Mend it."), "It broke.\n  → Mend it.", 1),
    ],
)
def test_whatever_ends_a_command_says_how_to_go_on(
    error: BaseException,
    said: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "destroy", failing(error, "It goes on by itself."))
    assert main(["destroy", "dev"]) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.endswith("\n  → It goes on by itself.\n")
    assert "Traceback" not in shown


def test_a_job_that_is_cancelled_ends_as_by_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(cli, "destroy", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert main(["destroy", "dev"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_region_is_the_one_that_the_aws_cli_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "eu-south-1")
    seen: list[str] = []
    monkeypatch.setattr(cli, "destroy", lambda *_: seen.append(Account().region))
    assert main(["destroy", "dev"]) == 0
    assert seen == ["eu-south-1"]


def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:4566")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(ToolError, match="AWS_ENDPOINT_URL"):
        Account().identity()


def test_without_a_region_nothing_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
    monkeypatch.setattr(deploying, "Account", WithoutRegion)
    assert main(["deploy", "dev"]) == 1
    assert "export AWS_DEFAULT_REGION=" in capsys.readouterr().err


class WithoutRegion(Account):
    """An account that is known, of no region."""

    def identity(self) -> str:
        """Ask for the region."""
        return self.region


class CloudFormation:
    """A stack in one state, which is asked to go."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.deleted = False

    def describe_stacks(self, **_: Any) -> Any:
        return {"Stacks": [{"StackId": "id", "StackStatus": self.status}]}

    def delete_stack(self, **_: Any) -> None:
        self.deleted = True


def account_of(status: str) -> Any:
    account = Account()
    vars(account)["cloudformation"] = CloudFormation(status)
    return account


@pytest.mark.parametrize(
    "status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"]
)
def test_a_stack_that_is_being_changed_is_not_deleted(status: str) -> None:
    account = account_of(status)
    with pytest.raises(ToolError, match=r"Something else is being done[^→]*→ Wait"):
        delete(account, Environment.read("dev"))
    assert not account.cloudformation.deleted


def test_a_stack_that_was_only_looked_at_is_gone_at_once() -> None:
    account = account_of("REVIEW_IN_PROGRESS")
    assert delete(account, Environment.read("dev")) == {}
    assert account.cloudformation.deleted


def test_a_stack_without_alarms_asks_for_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    account: Any = Account()
    monkeypatch.setattr(account, "physical_ids", lambda _: {"TaskTable": "t"})
    vars(account)["alarms"] = None  # CloudWatch would answer no name with all alarms
    require_quiet(account, "tandem-dev", load_template())


def test_nobody_at_the_terminal_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_question: str) -> str:
        raise EOFError

    class Changes:
        discarded = False

        def table(self) -> str:
            return ""

        def discard(self) -> None:
            self.discarded = True

    monkeypatch.setattr("builtins.input", ended)
    changes: Any = Changes()
    with pytest.raises(ToolError, match="YES=1"):
        deploying.changed(changes, ask=True)
    assert changes.discarded


def test_production_is_not_destroyed_before_its_account_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account = account_of("UPDATE_IN_PROGRESS")
    monkeypatch.setattr(account, "identity", lambda: "account 1, region eu-south-1", raising=False)
    monkeypatch.setattr("tandem_tools.deploy.destroy.Account", lambda: account)
    with pytest.raises(ToolError):
        destroy("prod", "tandem-prod")
    assert "tandem-prod: account 1, region eu-south-1" in capsys.readouterr().out


class Told:
    """A stack whose events are these, newest first."""

    def __init__(self, *events: tuple[str, str]) -> None:
        self.cloudformation = self
        self._events = [
            {
                "EventId": f"{len(events) - place}",
                "ResourceStatus": status,
                "LogicalResourceId": name,
                "ResourceType": "AWS::DynamoDB::Table",
                "PhysicalResourceId": "id" if name == "tandem-dev" else f"{name}-1",
                "Timestamp": datetime(2026, 11, 26, tzinfo=UTC),
            }
            for place, (name, status) in enumerate(events)
        ]

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"StackEvents": self._events}]


def test_a_deletion_that_has_ended_is_not_waited_for_and_tells_what_it_left() -> None:
    account: Any = Told(
        ("tandem-dev", "DELETE_COMPLETE"),
        ("TaskTable", "DELETE_SKIPPED"),
        ("tandem-dev", "DELETE_IN_PROGRESS"),
    )
    events = Events(account, "id")
    assert events.follow(0) == "DELETE_COMPLETE"
    assert [one["PhysicalResourceId"] for one in events.kept()] == ["TaskTable-1"]


@pytest.mark.parametrize("allowed", [True, False])
def test_what_was_only_looked_at_leaves_no_stack(
    *, allowed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    account = account_of("REVIEW_IN_PROGRESS")
    cloudformation = account.cloudformation
    cloudformation.delete_change_set = lambda **_: None
    if not allowed:
        cloudformation.delete_stack = failing(refusal("AccessDenied"))
    ChangeSet(account, Environment.read("dev"), "arn").discard()
    assert cloudformation.deleted is allowed
    assert ("stays, without any resource" in capsys.readouterr().out) is not allowed


def test_a_stack_that_stands_outlives_a_discarded_change_set() -> None:
    account = account_of("UPDATE_COMPLETE")
    account.cloudformation.delete_change_set = lambda **_: None
    ChangeSet(account, Environment.read("dev"), "arn").discard()
    assert not account.cloudformation.deleted


def test_a_call_whose_answer_was_lost_is_known_again_by_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = account_of("CREATE_COMPLETE")
    cloudformation = account.cloudformation
    calls: list[Any] = []
    cloudformation.create_change_set = lambda **request: calls.append(request) or {"Id": "arn"}
    cloudformation.execute_change_set = lambda **request: calls.append(request)
    cloudformation.describe_change_set = lambda **_: {"Status": "CREATE_COMPLETE"}
    monkeypatch.setattr(changes, "Events", lambda *_: Followed())
    for _ in range(2):
        made = ChangeSet.create(account, Environment.read("dev"), "UPDATE", "https://t", {})
        assert made is not None
        made.execute()
    created, executed, created_again, _ = calls
    assert created["ClientToken"] != created_again["ClientToken"]
    assert len(executed["ClientRequestToken"]) <= 128


class Followed:
    """Events of an update that succeeds."""

    def follow(self, _seconds: float) -> str:
        return "UPDATE_COMPLETE"
