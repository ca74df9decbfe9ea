"""A restore is refused before anything is touched, and copies what differs alone."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tandem_tools.deploy import restore as restoring
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.restore import Stack, different, make_same, restore
from tandem_tools.errors import ToolError

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def backups(status: str) -> dict[str, Any]:
    described = {
        "PointInTimeRecoveryStatus": status,
        "EarliestRestorableDateTime": NOW.replace(hour=10),
        "LatestRestorableDateTime": NOW,
    }
    return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": described}}


class DynamoDB:
    """A table that may be restored, and no other."""

    def __init__(self, status: str) -> None:
        self._status = status

    class exceptions:  # noqa: N801 - as boto3 has it
        class ResourceNotFoundException(Exception):
            """There is no such table."""

    def describe_table(self, **_: Any) -> Any:
        raise self.exceptions.ResourceNotFoundException

    def describe_continuous_backups(self, **_: Any) -> Any:
        return backups(self._status)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    def ask(to: str, *, status: str = "ENABLED", answer: str = "") -> None:
        class Account:
            def identity(self) -> str:
                return "account 123456789012, region eu-north-1"

        stack = Stack(Account(), "tasks", (), 1, {})  # type: ignore[arg-type]
        monkeypatch.setattr(restoring, "Account", Account)
        monkeypatch.setattr(restoring.Stack, "of", lambda *_: stack)
        monkeypatch.setattr(restoring.boto3, "client", lambda _: DynamoDB(status))
        monkeypatch.setattr("builtins.input", lambda _: answer)
        restore("prod", to)

    return ask


@pytest.mark.parametrize(
    ("to", "status", "refusal"),
    [
        ("2026-11-26T09:59:59Z", "ENABLED", "from 2026-11-26 10:00:00"),
        ("2026-11-26T12:00:01+00:00", "ENABLED", "can be restored to a moment"),
        ("2026-11-26T11:00:00Z", "DISABLED", "no point-in-time recovery"),
    ],
)
def test_what_cannot_be_restored_is_refused(asked: Any, to: str, status: str, refusal: str) -> None:
    with pytest.raises(ToolError, match=refusal):
        asked(to, status=status)


def test_nothing_is_changed_without_the_stacks_name(
    asked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ToolError, match="Nothing was changed"):
        asked("2026-11-26T13:00:00+02:00", answer="yes")
    said = capsys.readouterr().out
    assert "goes back to 2026-11-26 11:00:00 UTC, by way of tasks-at-20261126-110000" in said
    assert "run again" in said


@mock_aws
def test_only_what_differs_is_written() -> None:
    dynamodb = boto3.client("dynamodb", region_name="eu-north-1")
    for name in ("source", "target"):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    for number in range(60):
        item: Any = {"pk": {"S": f"{number}"}, "tags": {"SS": ["a", "b"]}, "n": {"N": "1"}}
        dynamodb.put_item(TableName="source", Item=item)
        changed = item | ({"n": {"N": "2"}} if number < 30 else {})
        dynamodb.put_item(TableName="target", Item=changed)
    for number in range(60, 90):
        dynamodb.put_item(TableName="target", Item={"pk": {"S": f"{number}"}})
    assert different(dynamodb, "source", "target")
    assert make_same(dynamodb, "source", "target") == (30, 30)
    assert not different(dynamodb, "source", "target")
    assert make_same(dynamodb, "source", "target") == (0, 0)


def test_a_mapping_that_is_being_switched_is_switched_when_that_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Busy(Exception):
        """It is being switched."""

    class Functions:
        class exceptions:  # noqa: N801 - as boto3 has it
            ResourceInUseException = Busy

        asked = 0

        def update_event_source_mapping(self, **_: Any) -> None:
            self.asked += 1
            if self.asked < 3:
                raise Busy

    account: Any = type("Account", (), {"functions": Functions()})()
    monkeypatch.setattr(restoring, "POLL_SECONDS", 0)
    restoring._switch(Stack(account, "tasks", (), 1, {}), "uuid", enabled=True)
    assert account.functions.asked == 3


class Functions:
    """Functions of which one has a concurrency of its own, and one has been stopped before."""

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803 - boto3's
        return {"Timeout": {"report": 300, "worker": 120}.get(FunctionName, 29)}

    def get_function_concurrency(self, FunctionName: str) -> Any:  # noqa: N803 - boto3's
        found = {"api": 50, "worker": 0}.get(FunctionName)
        return {} if found is None else {"ReservedConcurrentExecutions": found}


class Deployed:
    """An account with a stack in a state."""

    def __init__(self, status: str) -> None:
        self._status = status
        self.functions = Functions()

    def need_stack(self, _name: str) -> Any:
        return {"StackStatus": self._status, "StackId": "id"}

    def failed_resources(self, _stack_id: str) -> dict[str, str]:
        return {}

    def outputs(self, _name: str) -> dict[str, str]:
        names = {f"{name}FunctionName": name.lower() for name in restoring.STOPPED}
        return names | {"TableName": "tasks"}


def test_a_restore_waits_for_the_longest_and_keeps_what_was_reserved() -> None:
    account: Any = Deployed("UPDATE_COMPLETE")
    stack = Stack.of(account, Environment.read("dev"))
    assert stack.longest_seconds == 300
    assert stack.reserved == {"api": 50}


@pytest.mark.parametrize(
    "status", ["UPDATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"]
)
def test_a_stack_that_is_not_deployed_is_not_restored(status: str) -> None:
    account: Any = Deployed(status)
    with pytest.raises(ToolError, match="tandem-dev"):
        Stack.of(account, Environment.read("dev"))
