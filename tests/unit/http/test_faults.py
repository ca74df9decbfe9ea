"""Whose fault a failed task is: its caller's (422), or the processor's and ours (500)."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel

from tandem.processing import EffectUnknown, Permanent, Retry, TaskContext
from tandem.testing import FakeClock
from tests.factories.echoes import ECHO, be_echo
from tests.unit.http.conftest import Answer, Api

KEY = {"Idempotency-Key": "order-4711"}
WAIT = {"Prefer": "wait=10"}
SECRET = "SECRET-4711"


class BadTable(Permanent):
    """As a processor's own kind of it."""


class Anything(BaseModel):
    value: Any = None


class Strict(BaseModel):
    number: int


def raises(error: BaseException) -> Callable[[Any, TaskContext], Any]:
    def run(data: Any, ctx: TaskContext) -> Any:
        raise error

    return run


def validates(model: type[BaseModel], value: Any) -> Callable[[Any, TaskContext], Any]:
    def run(data: Any, ctx: TaskContext) -> Any:
        return model.model_validate(value)

    return run


def returns(output: Any) -> Callable[[Any, TaskContext], Any]:
    def run(data: Any, ctx: TaskContext) -> Any:
        return output

    return run


def ring() -> list[Any]:
    value: list[Any] = [SECRET]
    value.append(value)
    return value


@dataclass(frozen=True)
class Case:
    """How an attempt ends, and what that is."""

    run: Callable[[Any, TaskContext], Any]
    kind: str
    status: int = 500
    permanent: bool = True


def callers(run: Callable[[Any, TaskContext], Any], kind: str) -> Case:
    return Case(run, kind, status=422)


def tried_again(error: BaseException) -> Case:
    return Case(raises(error), type(error).__name__, permanent=False)


CASES = [
    callers(raises(Permanent(SECRET)), "Permanent"),
    callers(raises(BadTable(SECRET)), "BadTable"),
    callers(raises(LookupError(SECRET)), "LookupError"),  # Retry(throws=…) names it
    callers(validates(Strict, {"number": SECRET}), "ValidationError"),
    Case(raises(EffectUnknown(SECRET)), "EffectUnknown"),
    Case(validates(Anything, SECRET), "ValidationError"),
    Case(returns(Anything(value=math.nan)), "BadOutput"),
    Case(returns(Anything(value={"a": [math.inf]})), "BadOutput"),
    Case(returns(Anything(value=f"{SECRET}\ud800")), "BadOutput"),
    Case(returns(Anything(value=object())), "BadOutput"),
    Case(returns(Anything(value=ring())), "BadOutput"),
    Case(returns(Strict(number=1)), "BadOutput"),
    Case(returns({"value": SECRET}), "BadOutput"),
    Case(returns(None), "BadOutput"),
    tried_again(ValueError(SECRET)),
    tried_again(ConnectionError(SECRET)),
    tried_again(SystemExit(SECRET)),
]


@pytest.fixture
def working(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return the API beside a worker that takes the queue whenever a caller waits."""
    sleep = asyncio.sleep

    async def work_meanwhile(seconds: float) -> None:
        await asyncio.to_thread(api.work)
        clock = api.wiring.clock
        assert isinstance(clock, FakeClock)
        clock.advance(1)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr("tandem.http.submission.asyncio.sleep", work_meanwhile)
    return api


def be(api: Api, run: Callable[..., Any], **options: Any) -> None:
    retry = Retry(attempts=2, min_backoff_seconds=0, throws=(LookupError,))
    be_echo(api.wiring, run, **{"output": Anything, "retry": retry} | options)


def check(api: Api, answer: Answer, case: Case, attempts: int) -> None:
    """Assert that a problem names its request, its task and its error, as the task does."""
    assert (answer.status, answer.problem) == (case.status, "task-failed")
    assert answer.json["detail"].startswith(f"{case.kind}: ")
    task = api("GET", f"/tasks/{answer.json['task_id']}").json
    assert (task["state"], task["attempts"]) == ("failed", attempts)
    assert [record["number"] for record in task["history"]] == list(range(1, attempts + 1))
    assert {record["error"]["type"] for record in task["history"]} == {case.kind}
    assert task["error"]["permanent"] == case.permanent


@pytest.fixture
def counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], float]:
    """Return what says how many faults of processors the metrics count."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tandem/test")

    def count() -> float:
        lines = capsys.readouterr().out.splitlines()
        documents = [json.loads(line) for line in lines if line.startswith('{"_aws"')]
        return sum(sum(document["ProcessorFaults"]) for document in documents)

    return count


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["promote", "wait"])
def test_online_a_fault_is_told_from_its_error_at_first_and_again(
    working: Api, case: Case, mode: str, log: StringIO, counted: Callable[[], float]
) -> None:
    be(working, case.run, online=mode)
    first, second = (working("POST", "/process-online", ECHO, headers=KEY) for _ in range(2))
    attempts = 2 if mode == "wait" and not case.permanent else 1
    for answer in (first, second):
        check(working, answer, case, attempts)
    assert first.json == second.json
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert SECRET not in log.getvalue()
    assert counted() == (2 if case.status == 500 else 0)


@pytest.mark.parametrize("case", CASES)
def test_offline_a_caller_that_waits_is_told_the_same(
    working: Api, case: Case, log: StringIO, counted: Callable[[], float]
) -> None:
    be(working, case.run)
    headers = KEY | WAIT
    first, second = (working("POST", "/process-offline", ECHO, headers=headers) for _ in range(2))
    for answer in (first, second):
        check(working, answer, case, 1 if case.permanent else 2)
        assert answer.headers["preference-applied"] == "wait=10"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert SECRET not in log.getvalue()
    assert counted() == (2 if case.status == 500 else 0)


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_what_was_answered_otherwise_counts_as_no_fault(
    working: Api, path: str, counted: Callable[[], float]
) -> None:
    be(working, raises(Permanent(SECRET)))
    for body in (ECHO, {"processor": "none"}, "{", {"processor": "echo", "input": {}}):
        assert working("POST", path, body, headers=WAIT).status == 422
    assert counted() == 0


def test_an_answer_is_given_when_a_fault_cannot_be_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    be(api, raises(ValueError(SECRET)))
    answer = api("POST", "/process-online", ECHO)
    assert (answer.status, answer.problem) == (500, "task-failed")


def test_a_task_that_failed_once_and_was_cancelled_was_cancelled(api: Api) -> None:
    be(api, raises(ValueError(SECRET)))
    headers = KEY | {"Prefer": "wait=1"}
    api.context.remaining_seconds = 3.01
    first = api("POST", "/process-offline", ECHO, headers=headers)
    api.work()
    assert api("POST", f"{first.headers['location']}/cancel").json["state"] == "cancelled"
    api.context.remaining_seconds = 29
    again = api("POST", "/process-offline", ECHO, headers=headers)
    assert (again.status, again.problem) == (409, "task-cancelled")
    assert again.headers["idempotency-replayed"] == "true"
    result = api("GET", f"{first.headers['location']}/result")
    assert (result.status, result.json["detail"]) == (409, "The task was cancelled.")


def test_a_running_attempt_is_shown_beside_those_that_ended(api: Api) -> None:
    be(api, raises(ValueError(SECRET)))
    location = api("POST", "/process-offline", ECHO).headers["location"]
    api.work()
    failed = api("GET", location).json
    assert (failed["state"], failed["error"]["permanent"]) == ("queued", False)
    until = api.wiring.clock.now()
    api.wiring.execution.claim(failed["task_id"], until=until)
    running = api("GET", location).json
    assert (running["state"], running["attempts"]) == ("running", 2)
    first, second = running["history"]
    assert (first["number"], first["error"]["type"]) == (1, "ValueError")
    assert (second["number"], second["ended_at"], second["error"]) == (2, None, None)
