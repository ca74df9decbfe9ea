from datetime import timedelta
from typing import Any

import pytest

from tandem.domain.callback import Callback, CallbackState, WaitingCallback
from tandem.domain.ids import TaskId
from tandem.domain.task import Task
from tests.adapter.conftest import Ports
from tests.factories.tasks import ACME, NOON, finish_at, make_task

URL = "https://hooks.example.com/"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FULL = Callback(
    url=URL, state=CallbackState.FAILED, attempts=7, delivered_at=NOON, error="it answered 500"
)


def waiting(ports: Ports, minutes: float = 60) -> list[WaitingCallback]:
    """Return the callbacks that wait of tasks that ended before so many minutes past noon."""
    before = NOON + timedelta(minutes=minutes)
    return [
        one
        for shard in range(ports.callbacks.shards)
        for one in ports.callbacks.waiting(shard, before, limit=100)
    ]


def ended(ports: Ports, minutes: float = 1, **fields: Any) -> Task:
    """Return a task that ended so many minutes past noon."""
    task = make_task(callback=Callback(url=URL), traceparent=TRACE, **fields)
    return finish_at(ports.tasks, task, NOON + timedelta(minutes=minutes))


def kept(ports: Ports, task: Task) -> Callback | None:
    found = ports.tasks.get(task.task_id)
    assert found is not None
    return found.callback


def test_a_callback_waits_from_its_tasks_end_until_it_is_handed_over(ports: Ports) -> None:
    ports.tasks.put(make_task(callback=Callback(url=URL)))
    assert waiting(ports) == []
    task = ended(ports)
    assert waiting(ports) == [WaitingCallback(task_id=task.task_id, tenant=ACME, traceparent=TRACE)]
    assert waiting(ports, minutes=0.5) == []
    ports.callbacks.handed_over(task.task_id)
    assert waiting(ports) == []
    assert kept(ports, task) == Callback(url=URL)


def test_a_task_without_a_callback_never_waits(ports: Ports) -> None:
    finish_at(ports.tasks, make_task(), NOON)
    assert waiting(ports) == []


def test_many_wait_in_all_shards_and_the_oldest_come_first(ports: Ports) -> None:
    tasks = [ended(ports, minutes) for minutes in range(1, 8)]
    assert {one.task_id for one in waiting(ports)} == {task.task_id for task in tasks}
    if ports.callbacks.shards == 1:
        oldest = ports.callbacks.waiting(0, NOON + timedelta(hours=1), limit=2)
        assert [one.task_id for one in oldest] == [task.task_id for task in tasks[:2]]


@pytest.mark.parametrize("callback", [FULL, Callback(url=URL, attempts=1)], ids=["full", "bare"])
def test_how_far_a_callback_is_is_kept_and_it_waits_no_more(
    ports: Ports, callback: Callback
) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, callback)
    assert kept(ports, task) == callback
    assert waiting(ports) == []


def test_a_reopened_callback_waits_again(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, FULL)
    ports.callbacks.reopen(task.task_id, Callback(url=URL))
    assert [one.task_id for one in waiting(ports)] == [task.task_id]
    assert kept(ports, task) == Callback(url=URL)


def test_a_delivered_callback_stays_so(ports: Ports) -> None:
    task = ended(ports)
    delivered = Callback(url=URL, state=CallbackState.DELIVERED, attempts=1, delivered_at=NOON)
    ports.callbacks.record(task.task_id, delivered)
    ports.callbacks.record(task.task_id, FULL)
    ports.callbacks.reopen(task.task_id, Callback(url=URL))
    assert kept(ports, task) == delivered
    assert waiting(ports) == []


def test_a_task_that_is_gone_does_not_come_back(ports: Ports) -> None:
    gone = TaskId("019b796d-d600-7105-a825-21d610a3f823")
    ports.callbacks.handed_over(gone)
    ports.callbacks.record(gone, FULL)
    ports.callbacks.reopen(gone, FULL)
    assert ports.tasks.get(gone) is None


# --- The same call again, as the SDK makes it after a lost answer ---------------------------------


def test_a_callback_that_is_handed_over_twice_waits_no_more(ports: Ports) -> None:
    task = ended(ports)
    for _ in range(2):
        ports.callbacks.handed_over(task.task_id)
        assert (waiting(ports), kept(ports, task)) == ([], Callback(url=URL))


@pytest.mark.parametrize("state", list(CallbackState))
def test_an_attempt_that_is_recorded_twice_is_one(ports: Ports, state: CallbackState) -> None:
    task = ended(ports)
    tried = Callback(url=URL, state=state, attempts=3, error="it answered 500")
    for _ in range(2):
        ports.callbacks.record(task.task_id, tried)
        assert (waiting(ports), kept(ports, task)) == ([], tried)


def test_a_callback_that_is_reopened_twice_waits_once(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, FULL)
    for _ in range(2):
        ports.callbacks.reopen(task.task_id, Callback(url=URL))
        assert [one.task_id for one in waiting(ports)] == [task.task_id]
        assert kept(ports, task) == Callback(url=URL)


def test_a_repeated_call_never_takes_a_delivery_back(ports: Ports) -> None:
    """Another has delivered the callback between a call and its repetition."""
    task = ended(ports)
    delivered = Callback(url=URL, state=CallbackState.DELIVERED, attempts=4, delivered_at=NOON)
    ports.callbacks.record(task.task_id, FULL)
    ports.callbacks.reopen(task.task_id, Callback(url=URL))
    ports.callbacks.record(task.task_id, delivered)
    ports.callbacks.reopen(task.task_id, Callback(url=URL))
    ports.callbacks.record(task.task_id, FULL)
    ports.callbacks.handed_over(task.task_id)
    assert (waiting(ports), kept(ports, task)) == ([], delivered)


def test_a_reopening_that_is_repeated_after_its_hand_over_is_swept_and_lost_by_none(
    ports: Ports,
) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, FULL)
    ports.callbacks.reopen(task.task_id, Callback(url=URL))
    ports.callbacks.handed_over(task.task_id)
    ports.callbacks.reopen(task.task_id, Callback(url=URL))
    assert [one.task_id for one in waiting(ports)] == [task.task_id]
