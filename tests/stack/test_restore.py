"""`make restore` for real, into the emulator instead of AWS."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from tandem_tools.deploy import restore as restoring
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.cli import main
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.restore import Stack
from tandem_tools.errors import ToolError
from tests.stack.deployments import parameters


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_a_table_goes_back_to_its_moment_while_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restoring, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(restoring, "_DRAIN_MARGIN_SECONDS", 0)
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0
    stack = Stack.of(Account(), Environment.read("dev"))
    assert stack.longest_seconds == 300  # the report's: none of them writes after that
    monkeypatch.setattr(restoring.Stack, "of", lambda *_: replace(stack, longest_seconds=0))
    dynamodb, functions = boto3.client("dynamodb"), Account().functions

    def put(key: str, text: str) -> None:
        item = {"pk": {"S": key}, "text": {"S": text}, "names": {"SS": ["b", "a"]}}
        dynamodb.put_item(TableName=stack.table, Item=item)

    def text_of(key: str) -> str | None:
        found = dynamodb.get_item(TableName=stack.table, Key={"pk": {"S": key}}).get("Item")
        return found["text"]["S"] if found else None

    # The emulator copies what is there when it is asked, whatever the moment: so it is asked then.
    put("task#changed", "before")
    put("task#deleted", "before")
    put("task#same", "before")
    moment = (datetime.now(UTC) - timedelta(minutes=1)).replace(microsecond=0)
    restored = f"{stack.table}-at-{moment:%Y%m%d-%H%M%S}"
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=stack.table, TargetTableName=restored, RestoreDateTime=moment
    )
    put("task#changed", "after")
    put("task#later", "after")
    dynamodb.delete_item(TableName=stack.table, Key={"pk": {"S": "task#deleted"}})

    go = ["restore", "dev", "--to", moment.isoformat(), "--yes"]
    assert_told_when_cut_short(monkeypatch, capfd, stack, go)
    assert text_of("task#later") == "after"

    stopped: list[tuple[set[str], set[int]]] = []
    make_same = restoring.make_same

    def looked_at(*tables: object) -> tuple[int, int]:
        states = {one["State"] for one in restoring._mappings(stack)}
        limits = {
            functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
            for name in stack.functions
        }
        stopped.append((states, limits))
        return make_same(*tables)  # type: ignore[arg-type]

    monkeypatch.setattr(restoring, "make_same", looked_at)
    capfd.readouterr()
    assert main(go) == 0, capfd.readouterr()
    said = capfd.readouterr().out
    assert "tandem-dev runs again" in said
    assert f"aws dynamodb delete-table --table-name {restored}" in said
    assert stopped == [({"Disabled"}, {0})]
    assert {one["State"] for one in restoring._mappings(stack)} <= {"Enabled", "Enabling"}
    for name in stack.functions:
        found = functions.get_function_concurrency(FunctionName=name)
        assert "ReservedConcurrentExecutions" not in found
    texts = {name: text_of(f"task#{name}") for name in ("changed", "deleted", "same", "later")}
    assert texts == {"changed": "before", "deleted": "before", "same": "before", "later": None}

    # Again is as once, and what was reserved by hand is reserved again.
    monkeypatch.setattr(
        restoring.Stack,
        "of",
        lambda *_: replace(stack, longest_seconds=0, reserved={stack.functions[0]: 7}),
    )
    assert main(go) == 0
    assert text_of("task#changed") == "before"
    found = functions.get_function_concurrency(FunctionName=stack.functions[0])
    assert found["ReservedConcurrentExecutions"] == 7


def assert_told_when_cut_short(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    stack: Stack,
    go: list[str],
) -> None:
    """Stop a run before it writes, and before it starts the functions: it says how to go on."""
    with monkeypatch.context() as cut:
        cut.setattr(restoring, "make_same", interrupted)
        assert main(go) == 130
    said = capfd.readouterr().err
    assert "Go on with the same moment: make restore ENV=dev TO=20" in said
    for name in stack.functions:
        assert f"aws lambda delete-function-concurrency --function-name {name}" in said
        found = stack.account.functions.get_function_concurrency(FunctionName=name)
        assert found["ReservedConcurrentExecutions"] == 0
    for mapping in restoring._mappings(stack):
        assert f"--uuid {mapping['UUID']}" in said

    # Where they were begun to be started, a run again would undo what comes since.
    with monkeypatch.context() as cut:
        cut.setattr(restoring, "make_same", lambda *_: (0, 0))
        cut.setattr(restoring, "different", lambda *_: False)
        cut.setattr(restoring, "start", interrupted)
        assert main(go) == 130
    said = capfd.readouterr().err
    assert "Another make restore would undo what comes from now on" in said
    assert said.count("aws lambda") == len(stack.functions) + len(restoring._mappings(stack))


def interrupted(*_: object) -> None:
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "to",
    [
        "yesterday",
        "2026-11-26T12:00:00",
        "",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_moment_has_an_offset(to: str) -> None:
    with pytest.raises(ToolError, match="no moment with an offset"):
        restoring.restore("dev", to)
