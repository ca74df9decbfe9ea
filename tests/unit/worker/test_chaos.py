"""Whatever a processor does ends its own attempt, and harms no mate and no later task."""

import json
import logging
import os
import sys
from io import FileIO, StringIO, TextIOWrapper
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from tandem.clock import SystemClock
from tandem.processing.catalogue import Catalogue
from tandem.tasks.task import State, Task
from tandem.telemetry import logger
from tandem.testing import MemoryWiring
from tests.factories import chaos
from tests.factories.chaos import ATTEMPT_ENDS, NO_OUTPUT, PROCESS_CHANGES, SECRET, SUCCEEDS
from tests.factories.environments import Account
from tests.factories.neighbours import neighbours, submit
from tests.unit.worker.test_batch import run

FORKS = {name for name in SUCCEEDS if "fork" in name}


def make() -> MemoryWiring:
    return MemoryWiring(clock=SystemClock(), catalogue=Catalogue([chaos.make_chaos()]))


def of(how: str) -> bytes:
    return json.dumps({"how": how}).encode()


def run_beside_mates(wiring: MemoryWiring, *hows: str) -> list[Task]:
    """Run tasks between two that are well, on a shallow stack; return them as they ended."""
    tasks = [submit(wiring, "chaos", of(how)) for how in ("ok", *hows, "ok")]
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run(wiring)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
    ended = [wiring.store.tasks[task.task_id] for task in tasks]
    assert {ended[0].state, ended[-1].state} == {State.SUCCEEDED}
    return ended[1:-1]


def output_of(wiring: MemoryWiring, task: Task) -> Any:
    assert task.output is not None
    return json.loads(wiring.payloads.read(task.output))["got"]


@pytest.mark.parametrize("how", ATTEMPT_ENDS)
def test_whatever_a_processor_raises_ends_its_attempt_and_no_more(
    how: str, log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    wiring = make()
    (task,) = run_beside_mates(wiring, how)
    assert (task.state, task.attempts) == (State.QUEUED, 1)
    assert task.error is not None
    assert (task.error.type, task.error.permanent) == (ATTEMPT_ENDS[how][0], False)
    assert SECRET not in log.getvalue() + "".join(capfd.readouterr())
    (later,) = run_beside_mates(wiring, "ok")
    assert later.state is State.SUCCEEDED


@pytest.mark.parametrize("how", NO_OUTPUT)
def test_an_output_that_is_no_json_ends_its_task_for_good(how: str) -> None:
    wiring = make()
    (task,) = run_beside_mates(wiring, how)
    assert (task.state, task.attempts, task.own_fault) == (State.FAILED, 1, True)
    assert task.error is not None
    assert (task.error.type, task.error.own) == ("BadOutput", True)


@pytest.mark.parametrize("how", sorted(SUCCEEDS.keys() - FORKS))
def test_what_is_allowed_succeeds(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    wiring = make()
    (task,) = run_beside_mates(wiring, how)
    assert task.state is State.SUCCEEDED, task.error
    assert output_of(wiring, task) == SUCCEEDS[how][0]
    assert "Logging error" not in capfd.readouterr().err


@pytest.mark.parametrize("how", PROCESS_CHANGES)
def test_what_a_processor_does_to_its_process_harms_no_later_task(
    how: str, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Streams of the test's own: pytest's are not to be closed.
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(FileIO(1, "w", closefd=False)))
    monkeypatch.setattr(sys, "stderr", TextIOWrapper(FileIO(2, "w", closefd=False)))
    wiring = make()
    (before,) = run_beside_mates(wiring, "looks")
    environ = os.environ
    log.truncate(0)
    (task,) = run_beside_mates(wiring, how)
    assert task.state in (State.SUCCEEDED, State.QUEUED), task.error
    assert os.environ is environ
    (after,) = run_beside_mates(wiring, "looks")
    assert output_of(wiring, after) == output_of(wiring, before)
    texts = log.getvalue().replace("\0", "").splitlines()
    # A mate that ends while the handler has another formatter writes a line that is no JSON.
    lines = [json.loads(text) for text in texts if how != "formatter" or text.startswith("{")]
    ended = [line["task_id"] for line in lines if line["message"] == "attempt ended"]
    assert {task.task_id, after.task_id} <= set(ended)


def test_a_formatter_that_is_left_changed_harms_no_later_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler = logger.registered_handler
    monkeypatch.setattr(handler, "formatter", logging.Formatter("%(message)s"))
    wiring = make()
    (task,) = run_beside_mates(wiring, "ok")
    assert task.state is State.SUCCEEDED
    context = SimpleNamespace(
        function_name="worker",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-north-1:123456789012:function:worker",
        aws_request_id="1",
    )
    assert (
        logger.inject_lambda_context(lambda event, context: "answered")({}, context) == "answered"
    )


@pytest.mark.parametrize("how", sorted(FORKS))
def test_a_forked_process_that_comes_back_is_no_second_worker(how: str, tmp_path: Path) -> None:
    account = Account(neighbours, tmp_path)
    tasks = [submit(account.wiring, "chaos", of(how)), submit(account.wiring, "healthy")]
    account.minute()
    ended = [account.wiring.store.tasks[task.task_id] for task in tasks]
    assert [task.state for task in ended] == [State.SUCCEEDED] * 2, ended[0].error
    assert output_of(account.wiring, ended[0]) == SUCCEEDS[how][0]
    written = account.log.read_text()
    assert (written.count("attempt ended"), SECRET in written) == (2, False)


@pytest.mark.parametrize("how", chaos.PROCESS_ENDS)
def test_a_task_that_ends_its_process_fails_and_its_mates_succeed(how: str, tmp_path: Path) -> None:
    account = Account(neighbours, tmp_path)
    bad = submit(account.wiring, "chaos", of(how))
    mates = [submit(account.wiring, "healthy") for _ in range(2)]
    account.until_all_end()
    assert {account.wiring.store.tasks[mate.task_id].state for mate in mates} == {State.SUCCEEDED}
    task = account.wiring.store.tasks[bad.task_id]
    assert (task.state, task.error and task.error.type) == (State.FAILED, "Crashed")
    assert SECRET not in account.log.read_text()


def test_a_task_that_closes_all_descriptors_harms_no_mate_for_good(tmp_path: Path) -> None:
    account = Account(neighbours, tmp_path)
    submit(account.wiring, "chaos", of("close-descriptors"))
    mate = submit(account.wiring, "healthy")
    account.until_all_end()
    assert account.wiring.store.tasks[mate.task_id].state is State.SUCCEEDED
    assert all(task.state.final for task in account.tasks)


def test_an_error_that_cannot_be_printed_is_named_by_its_class() -> None:
    (task,) = run_beside_mates(make(), "unprintable")
    assert task.error is not None
    assert task.error.message == "Unprintable"


def test_a_message_that_could_not_be_handled_comes_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> Task:
        raise ConnectionError

    wiring = make()
    task = submit(wiring, "chaos")
    with monkeypatch.context() as patched:
        patched.setattr(wiring.store, "change", fail)
        assert run(wiring) == ["message-1"]
    (message,) = wiring.queue.messages.values()
    assert (message.visible_at - wiring.clock.now()).total_seconds() < 60
    assert wiring.store.tasks[task.task_id].state is State.QUEUED
