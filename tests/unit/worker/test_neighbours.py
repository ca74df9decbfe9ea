"""What one task of a batch does to its process costs its neighbours nothing."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tandem.tasks.task import State
from tests.factories.environments import Account
from tests.factories.neighbours import neighbours, submit

REPETITIONS = int(os.environ.get("TANDEM_REPETITIONS", "5"))
"""Set it to 50 for the whole proof: it takes some minutes."""

THE_WORST = ("panics", "hogs", "exits", "sleeps")


@pytest.mark.parametrize("repetition", range(REPETITIONS))
def test_healthy_tasks_succeed_beside_the_worst(repetition: int, tmp_path: Path) -> None:
    account = Account(neighbours, tmp_path)
    order = [*THE_WORST, *["healthy"] * 4]
    order = order[repetition % 8 :] + order[: repetition % 8]
    tasks = {submit(account.wiring, name).task_id: name for name in order}
    account.until_all_end()
    ended = [(tasks[task.task_id], task.state, task.attempts) for task in account.tasks]
    assert [state for name, state, _ in ended if name == "healthy"] == [State.SUCCEEDED] * 4, ended
    states = {name: state for name, state, _ in ended}
    assert states["hogs"] is State.SUCCEEDED, ended
    assert {states["panics"], states["exits"], states["sleeps"]} == {State.FAILED}, ended
    errors = {tasks[task.task_id]: task.error and task.error.type for task in account.tasks}
    assert (errors["exits"], errors["panics"], errors["sleeps"]) == (
        "Crashed",
        "Panic",
        "TimedOut",
    )


def test_a_task_that_may_be_started_once_is_not_started_again_after_a_crash(
    tmp_path: Path,
) -> None:
    account = Account(neighbours, tmp_path)
    once = submit(account.wiring, "exits-once")
    healthy = submit(account.wiring, "healthy")
    account.until_all_end()
    task = account.wiring.store.tasks[once.task_id]
    assert (task.state, task.attempts, task.listed_at is not None) == (State.FAILED, 1, True)
    assert task.error is not None
    assert task.error.type == "Crashed"
    assert account.died == 1
    assert account.wiring.store.tasks[healthy.task_id].state is State.SUCCEEDED


def test_a_task_that_waits_to_run_alone_is_soon_back_when_its_process_dies(tmp_path: Path) -> None:
    account = Account(neighbours, tmp_path)
    marked = submit(account.wiring, "healthy")
    tasks = account.wiring.store.tasks
    tasks[marked.task_id] = replace(tasks[marked.task_id], alone=True, crashes=2)
    submit(account.wiring, "exits")
    for _ in range(4):
        account.minute()
    assert account.died
    assert tasks[marked.task_id].state is State.SUCCEEDED
