"""A run of the proofs ends by itself, deletes what it made, and says what came out and cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tandem_tools.deploy import prove as proving
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

    def run(*proofs: Proof, deploy: Any = None, left: tuple[str, ...] = ()) -> list[str]:
        done: list[str] = []

        def removed(*_: Any) -> list[str]:
            done.append("removed")
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
        stages = (Stage(what="a stage", parameters={"A": "1"}, proofs=proofs),)
        monkeypatch.setattr(proving, "STAGES", stages)
        try:
            prove("B=2", ask=False)
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
    assert (deployed, removed) == ("deployed prove A=1 B=2", "removed")
    assert said.startswith("ToolError: Not as it must be: first.")
    assert "| first | what must come out | **failed** | OSError: no network |" in page
    assert "| second | what must come out | **held** | it |" in page


def test_a_deployment_that_fails_leaves_its_proofs_unrun(runs: Callable[..., list[str]]) -> None:
    error = ToolError("a resource failed", "look")
    _, removed, page = runs(proof(lambda _: "it"), deploy=error)
    assert removed == "removed"
    assert "**not run** | the deployment failed: a resource failed" in page


def test_an_interrupted_run_deletes_its_stack_and_reports(runs: Callable[..., list[str]]) -> None:
    _, removed, said, page = runs(proof(raising(KeyboardInterrupt())))
    assert (removed, said) == ("removed", "KeyboardInterrupt: ")
    assert "0 requests" in page


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
