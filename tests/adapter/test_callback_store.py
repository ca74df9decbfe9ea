from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tandem.callbacks.callback import Callback, GivenUp, WaitingCallback
from tandem.cursor import place_in, to_cursor
from tandem.ids import TaskId
from tandem.tasks.task import Task
from tandem_tools.harness.tasks import ACME, NOON, finish_at, make_task
from tests.adapter.conftest import Ports

URL = "https://hooks.example.com/"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PENDING = Callback(url=URL)
GIVEN_UP = PENDING.given_up(GivenUp.GONE, "it answered 410", NOON)
DELIVERED = PENDING.delivered(NOON)


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


def given_up(ports: Ports, limit: int = 100) -> list[Task]:
    """Return all tasks whose callbacks were given up, read in pages of so many."""
    page = ports.callbacks.given_up(limit=limit)
    tasks = page.tasks
    while page.next_cursor is not None:
        page = ports.callbacks.given_up(limit=limit, cursor=page.next_cursor)
        tasks += page.tasks
    return tasks


def ids(tasks: list[Task]) -> list[TaskId]:
    return [task.task_id for task in tasks]


@pytest.mark.parametrize("callback", [GIVEN_UP, DELIVERED, PENDING.refused("it answered 500")])
def test_how_far_a_callback_is_is_kept_and_it_waits_no_more(
    ports: Ports, callback: Callback
) -> None:
    task = ended(ports)
    assert ports.callbacks.record(task.task_id, callback, seen=PENDING) == callback
    now_kept = kept(ports, task)
    assert now_kept == callback
    assert now_kept.write_id == callback.write_id
    assert waiting(ports) == []


def test_a_page_of_given_up_callbacks_can_start_behind_any_by_its_place(ports: Ports) -> None:
    tasks = [ended(ports, minutes) for minutes in range(1, 5)]
    for task in tasks:
        ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    for number, task in enumerate(tasks):
        cursor = to_cursor(place_in(task.finished_at or NOON, task.task_id))
        rest = ports.callbacks.given_up(limit=10, cursor=cursor).tasks
        assert ids(rest) == ids(tasks[number + 1 :])


def test_a_callback_is_on_the_list_by_the_write_that_gives_it_up(ports: Ports) -> None:
    task = ended(ports)
    assert given_up(ports) == []
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    (listed,) = given_up(ports)
    assert (listed.task_id, listed.tenant, listed.callback) == (task.task_id, ACME, GIVEN_UP)


def test_callbacks_given_up_are_listed_page_by_page_the_oldest_end_first(ports: Ports) -> None:
    tasks = [ended(ports, minutes) for minutes in range(1, 8)]
    for task in reversed(tasks):
        ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    for limit in (1, 3, 7, 100):
        assert ids(given_up(ports, limit)) == ids(tasks)


def test_a_callback_that_was_handed_over_late_stays_on_the_list(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    ports.callbacks.handed_over(task.task_id)
    assert ids(given_up(ports)) == [task.task_id]


def test_a_reopened_callback_waits_again_and_is_off_the_list(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    assert ports.callbacks.reopen(task.task_id, GIVEN_UP.reopened())
    assert [one.task_id for one in waiting(ports)] == [task.task_id]
    assert given_up(ports) == []
    assert kept(ports, task) == PENDING


def test_a_callback_is_reopened_once_and_a_lost_answer_is_known_again(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    first, second = GIVEN_UP.reopened(), GIVEN_UP.reopened()
    assert ports.callbacks.reopen(task.task_id, first)
    assert not ports.callbacks.reopen(task.task_id, second)
    assert ports.callbacks.reopen(task.task_id, first)


def test_a_callback_that_was_not_given_up_is_not_reopened(ports: Ports) -> None:
    task = ended(ports)
    assert not ports.callbacks.reopen(task.task_id, PENDING.reopened())
    ports.callbacks.record(task.task_id, DELIVERED, seen=PENDING)
    assert not ports.callbacks.reopen(task.task_id, PENDING.reopened())
    assert kept(ports, task) == DELIVERED


def test_of_several_redrives_at_once_one_reopens_a_callback(concurrent_ports: Ports) -> None:
    task = ended(concurrent_ports)
    concurrent_ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)

    def reopen(_: int) -> bool:
        return concurrent_ports.callbacks.reopen(task.task_id, GIVEN_UP.reopened())

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reopen, range(8))) == 1


def test_a_record_whose_answer_was_lost_is_made_once(ports: Ports) -> None:
    task = ended(ports)
    for callback in (PENDING.refused("it answered 500"), GIVEN_UP, DELIVERED):
        seen = kept(ports, task)
        assert seen is not None
        for _ in range(2):
            recorded = ports.callbacks.record(task.task_id, callback, seen=seen)
            assert recorded is not None
            assert recorded.write_id == callback.write_id


def test_an_attempt_of_before_a_redrive_records_nothing(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    again = GIVEN_UP.reopened()
    ports.callbacks.reopen(task.task_id, again)
    late = PENDING.given_up(GivenUp.ATTEMPTS_EXHAUSTED, "it answered 500", NOON)
    assert ports.callbacks.record(task.task_id, late, seen=PENDING) == again
    assert given_up(ports) == []
    assert [one.task_id for one in waiting(ports)] == [task.task_id]


def test_a_delivery_counts_whatever_was_recorded_meanwhile(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    assert ports.callbacks.record(task.task_id, DELIVERED, seen=PENDING) == DELIVERED
    assert given_up(ports) == []


def test_a_delivered_callback_stays_so(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, DELIVERED, seen=PENDING)
    later = PENDING.delivered(NOON + timedelta(hours=1))
    for callback in (GIVEN_UP, later):
        assert ports.callbacks.record(task.task_id, callback, seen=PENDING) == DELIVERED
    assert kept(ports, task) == DELIVERED
    assert waiting(ports) == given_up(ports) == []


def test_a_task_that_is_gone_does_not_come_back(ports: Ports) -> None:
    gone = TaskId("019b796d-d600-7105-a825-21d610a3f823")
    ports.callbacks.handed_over(gone)
    assert ports.callbacks.record(gone, GIVEN_UP, seen=PENDING) is None
    assert not ports.callbacks.reopen(gone, GIVEN_UP.reopened())
    assert ports.tasks.get(gone) is None


# --- The same call again, as the SDK makes it after a lost answer ---------------------------------


def test_a_callback_that_is_handed_over_twice_waits_no_more(ports: Ports) -> None:
    task = ended(ports)
    for _ in range(2):
        ports.callbacks.handed_over(task.task_id)
        assert (waiting(ports), kept(ports, task)) == ([], Callback(url=URL))


@pytest.mark.parametrize("tried", [PENDING.refused("it answered 500"), GIVEN_UP, DELIVERED])
def test_an_attempt_that_is_recorded_twice_is_one(ports: Ports, tried: Callback) -> None:
    task = ended(ports)
    for _ in range(2):
        assert ports.callbacks.record(task.task_id, tried, seen=PENDING) == tried
        assert (waiting(ports), kept(ports, task)) == ([], tried)


def test_a_callback_that_is_reopened_twice_waits_once(ports: Ports) -> None:
    task = ended(ports)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    again = GIVEN_UP.reopened()
    for _ in range(2):
        assert ports.callbacks.reopen(task.task_id, again)
        assert [one.task_id for one in waiting(ports)] == [task.task_id]
        assert kept(ports, task) == PENDING


def test_a_repeated_call_never_takes_a_delivery_back(ports: Ports) -> None:
    """Another has delivered the callback between a call and its repetition."""
    task = ended(ports)
    again = GIVEN_UP.reopened()
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    ports.callbacks.reopen(task.task_id, again)
    ports.callbacks.record(task.task_id, DELIVERED, seen=again)
    assert not ports.callbacks.reopen(task.task_id, again)
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    ports.callbacks.handed_over(task.task_id)
    assert (waiting(ports), kept(ports, task)) == ([], DELIVERED)


def test_a_reopening_that_is_repeated_after_its_hand_over_has_happened_once(ports: Ports) -> None:
    task = ended(ports)
    again = GIVEN_UP.reopened()
    ports.callbacks.record(task.task_id, GIVEN_UP, seen=PENDING)
    ports.callbacks.reopen(task.task_id, again)
    ports.callbacks.handed_over(task.task_id)
    # Whoever repeats it hands it over once more: the queue has it twice, and the list never.
    assert ports.callbacks.reopen(task.task_id, again)
    assert (waiting(ports), given_up(ports)) == ([], [])


@pytest.mark.parametrize("purged", [False, True])
def test_nothing_is_recorded_of_a_task_that_was_deleted_in_the_attempt(
    ports: Ports, *, purged: bool
) -> None:
    task = ended(ports)
    seen = kept(ports, task)
    assert seen is not None
    ports.tasks.delete(task, now=NOON)
    if purged:
        ports.tasks.purge(task.task_id, expires_at=NOON)
    assert ports.callbacks.record(task.task_id, seen.delivered(NOON), seen=seen) is None
    assert ports.tasks.get(task.task_id) is None
