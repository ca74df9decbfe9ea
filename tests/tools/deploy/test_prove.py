"""A run of the proofs ends by itself, deletes what it made, and says what came out and cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tandem_tools.deploy import changes
from tandem_tools.deploy import destroy as destroying
from tandem_tools.deploy import prove as proving
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.proofs import NotHeldError, NotHereError, Proof, Proving, Stage
from tandem_tools.deploy.prove import dollars, prove, show
from tandem_tools.errors import ToolError

type Show = Callable[[Proving], str]


class Account:
    """An account without a stack, or with one."""

    def __init__(self, *, stands: bool = False) -> None:
        self.stands = stands

    def identity(self) -> str:
        return "account 123456789012, region eu-north-1"

    def stack(self, _name: str) -> dict[str, str] | None:
        return {"StackName": "tandem-prove"} if self.stands else None


def raising(error: BaseException) -> Show:
    def shown(_stack: Proving) -> str:
        raise error

    return shown


def proof(shown: Show, name: str = "a mechanism") -> Proof:
    return Proof(mechanism=name, expected="what must come out", show=shown)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Return what runs proofs in a stack that is a double, and returns what was done."""

    def run(
        *proofs: Proof,
        deploy: Any = None,
        left: tuple[str, ...] = (),
        removing: BaseException | None = None,
        parameters: str = "ThrottleBurst=2",
    ) -> list[str]:
        done: list[str] = []

        def removed(*_: Any) -> list[str]:
            done.append("removed")
            if removing:
                raise removing
            return list(left)

        def deployed(name: str, parameters: str, *, ask: bool) -> None:
            done.append(f"deployed {name} {parameters}".strip())
            assert not ask
            if deploy:
                raise deploy

        account = Account()
        monkeypatch.setattr(proving, "Account", lambda: account)
        monkeypatch.setattr(proving, "REPORTS", tmp_path)
        monkeypatch.setattr(proving, "deploy", deployed)
        monkeypatch.setattr(proving, "remove", removed)
        stages = (Stage(what="a stage", parameters={"LogLevel": "WARN"}, proofs=proofs),)
        monkeypatch.setattr(proving, "STAGES", stages)
        try:
            prove(parameters, ask=False)
        except (ToolError, KeyboardInterrupt) as error:
            done.append(f"{type(error).__name__}: {error}")
        return [*done, *(path.read_text() for path in sorted(tmp_path.glob("*.md")))]

    return run


@pytest.mark.parametrize(
    ("shown", "outcome", "seen"),
    [
        (lambda _: "as it must", "held", "as it must"),
        (raising(NotHeldError("404")), "failed", "404"),
        (raising(NotHereError("an emulator")), "not run", "an emulator"),
        (raising(KeyError("url")), "failed", "KeyError: 'url'"),
    ],
)
def test_whatever_a_proof_raises_is_what_came_out(shown: Show, outcome: str, seen: str) -> None:
    came: Any = show(proof(shown), None)  # type: ignore[arg-type]  # it looks at no stack
    assert (came.outcome, came.seen) == (outcome, seen)


def test_a_proof_that_breaks_off_stops_no_other(runs: Callable[..., list[str]]) -> None:
    first, second = proof(raising(OSError("no network")), "first"), proof(lambda _: "it", "second")
    deployed, removed, said, page = runs(first, second)
    assert (deployed, removed) == (
        "deployed prove LogLevel=WARN ThrottleBurst=2",
        "removed",
    )
    assert said.startswith("ToolError: Not as it must be: first.")
    assert "| first | what must come out | **failed** | OSError: no network |" in page
    assert "| second | what must come out | **held** | it |" in page


def test_a_deployment_that_fails_leaves_its_proofs_unrun(runs: Callable[..., list[str]]) -> None:
    error = ToolError("a resource failed", "look")
    _, removed, said, page = runs(proof(lambda _: "it"), deploy=error)
    assert removed == "removed"
    assert said.startswith("ToolError: Not deployed: a stage.")
    assert "**not run** | the deployment failed: a resource failed" in page


def test_an_interrupted_run_deletes_its_stack_and_reports(runs: Callable[..., list[str]]) -> None:
    _, removed, said, page = runs(proof(raising(KeyboardInterrupt())))
    assert (removed, said) == ("removed", "KeyboardInterrupt: ")
    assert "0 requests" in page


def test_an_interrupted_deployment_is_told_as_what_became_of_it(
    runs: Callable[..., list[str]],
) -> None:
    cut = KeyboardInterrupt()
    cut.add_note("CloudFormation goes on")
    _, removed, said, _ = runs(proof(lambda _: "it"), deploy=cut)
    assert (removed, said) == ("removed", "KeyboardInterrupt: ")


def test_a_deletion_that_is_interrupted_too_says_that_the_stack_may_stand(
    runs: Callable[..., list[str]],
) -> None:
    *_, said, page = runs(proof(raising(KeyboardInterrupt())), removing=KeyboardInterrupt())
    assert said.startswith("ToolError: Not deleted: tandem-prove: its deletion was cut short.")
    assert "make destroy ENV=prove" in said
    assert "- Left: tandem-prove: its deletion was cut short" in page


@pytest.mark.parametrize("parameters", ["LogLevl=DEBUG", "LogLevel=LOUD", "Environment=prod"])
def test_what_no_deployment_would_take_is_refused_before_anything_is_made(
    runs: Callable[..., list[str]], parameters: str
) -> None:
    [said] = runs(proof(lambda _: "it"), parameters=parameters)
    assert said.startswith("ToolError: ")


class Stack:
    """A stack in a state that changes with each look."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses)
        self.done: list[str] = []
        self.cloudformation = self

    def stack(self, _name: str) -> Any:
        return self.need_stack(_name)

    def need_stack(self, _name: str) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"StackStatus": status, "StackId": "id"}

    def cancel_update_stack(self, **_: Any) -> None:
        self.done.append("cancelled")

    def delete_stack(self, **_: Any) -> None:
        self.done.append("deleted")
        raise ClientError({"Error": {"Code": "ValidationError", "Message": "protected"}}, "Delete")


@pytest.mark.parametrize(
    ("statuses", "done"),
    [
        (["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"], []),
        (["UPDATE_IN_PROGRESS"] * 3 + ["UPDATE_ROLLBACK_COMPLETE"], ["cancelled"]),
        (["REVIEW_IN_PROGRESS"], []),
        (["CREATE_COMPLETE"], []),
    ],
)
def test_a_stack_is_deleted_when_nothing_else_is_done_to_it(
    statuses: list[str], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "POLL_SECONDS", 0)
    monkeypatch.setattr(destroying, "Events", lambda *_: None)
    stack: Any = Stack(*statuses)
    left = proving.remove(stack, Environment.read("prove"))
    assert stack.done == [*done, "deleted"]
    assert stack.statuses == statuses[-1:]
    assert "tandem-prove: " in left[0]  # what AWS refuses is in the report, not instead of it
    assert "protected" in left[0]


def test_what_could_not_be_deleted_is_told(runs: Callable[..., list[str]]) -> None:
    *_, said, page = runs(proof(lambda _: "it"), left=("TaskTable (t): denied",))
    assert said.startswith("ToolError: Not deleted: TaskTable (t): denied.")
    assert "- Left: TaskTable (t): denied" in page


def test_a_stack_that_stands_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "Account", lambda: Account(stands=True))
    with pytest.raises(ToolError, match="already"):
        prove("", ask=False)


def test_nothing_is_made_without_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(proving, "Account", Account)
    monkeypatch.setattr("builtins.input", lambda _: "")
    with pytest.raises(ToolError, match="Nothing was made"):
        prove("")
    assert "dollars" in capsys.readouterr().out


def test_a_run_costs_what_its_calls_and_its_time_cost() -> None:
    hour = dollars(0, 0, 1)
    assert 0.01 < hour < 0.1
    assert dollars(1_000_000, 0, 0) == pytest.approx(1.2)
    assert dollars(0, 1_000_000, 1) == pytest.approx(15.61 + hour, abs=0.01)
