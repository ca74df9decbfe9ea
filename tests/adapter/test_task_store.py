from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.domain.changes import claim, fail, give_up, release, report_progress, succeed
from tandem.domain.ids import TenantId
from tandem.domain.task import (
    Fence,
    InlinePayload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)
from tandem.ports import ChangeRefused, TaskExists, TaskFilter, TaskStore
from tests.adapter.conftest import Ports
from tests.factories.tasks import ACME, NOON, make_task

LEASE = NOON + timedelta(minutes=2)
EVERYTHING = TaskFilter()


@pytest.fixture
def store(ports: Ports) -> TaskStore:
    return ports.tasks


def claimed(store: TaskStore, task: Task) -> Task:
    return store.change(task.task_id, claim(now=NOON, lease_until=LEASE))


def test_a_task_is_read_back_as_it_was_put(store: TaskStore) -> None:
    task = make_task(
        input=StoredPayload("tasks/1/input.json", 300_000),
        error=TaskError("KeyError", "no such key"),
        progress=Progress(1, 2, "half"),
        not_before=NOON + timedelta(milliseconds=1),
    )
    store.put(task)
    assert store.get(task.task_id) == task


def test_an_unknown_task_is_none(store: TaskStore) -> None:
    assert store.get(make_task().task_id) is None


def test_an_id_is_taken_only_once(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    with pytest.raises(TaskExists):
        store.put(replace(task, processor="other"))
    assert store.get(task.task_id) == task


def test_a_claim_returns_the_whole_task_and_counts_the_attempt(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    assert held == replace(
        task,
        state=State.RUNNING,
        attempts=1,
        lease_until=LEASE,
        due_at=LEASE,
        started_at=NOON,
        attempt_started_at=NOON,
    )
    assert store.get(task.task_id) == held


def test_a_held_task_is_not_claimed_again_and_is_shown(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    with pytest.raises(ChangeRefused) as refused:
        claimed(store, task)
    assert refused.value.task == held


def test_a_task_whose_lease_ended_is_claimed_again(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    claimed(store, task)
    later = LEASE + timedelta(milliseconds=1)
    held = store.change(task.task_id, claim(now=later, lease_until=later + timedelta(minutes=2)))
    assert (held.attempts, held.started_at, held.attempt_started_at) == (2, NOON, later)


def test_a_task_that_waits_is_not_claimed_before_its_time(store: TaskStore) -> None:
    task = make_task(not_before=NOON + timedelta(seconds=1))
    store.put(task)
    with pytest.raises(ChangeRefused):
        claimed(store, task)
    ready = NOON + timedelta(seconds=1)
    held = store.change(task.task_id, claim(now=ready, lease_until=LEASE))
    assert held.not_before is None


def test_a_task_without_attempts_left_is_not_claimed(store: TaskStore) -> None:
    task = make_task(attempts=3, max_attempts=3)
    store.put(task)
    with pytest.raises(ChangeRefused):
        claimed(store, task)


def test_a_change_of_an_unknown_task_is_refused_with_none(store: TaskStore) -> None:
    with pytest.raises(ChangeRefused) as refused:
        claimed(store, make_task())
    assert refused.value.task is None


def test_success_is_final_and_clears_the_lease(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    end = NOON + timedelta(seconds=3)
    output, file = InlinePayload('{"a":1}'), StoredPayload("tasks/1/1/files/a.csv", 10)
    done = store.change(task.task_id, succeed(held.fence, now=end, output=output, file=file))
    assert done == replace(
        held,
        state=State.SUCCEEDED,
        finished_at=end,
        output=output,
        file=file,
        lease_until=None,
        due_at=None,
    )
    for change in (
        claim(now=LEASE, lease_until=LEASE),
        succeed(held.fence, now=end, output=output),
        fail(held.fence, now=end, error=TaskError("E", "")),
        give_up(now=LEASE, error=TaskError("E", "")),
        report_progress(held.fence, Progress(1, None, "")),
    ):
        with pytest.raises(ChangeRefused):
            store.change(task.task_id, change)
    assert store.get(task.task_id) == done


@pytest.mark.parametrize(
    "stale",
    [Fence(2, LEASE), Fence(1, LEASE + timedelta(milliseconds=1)), Fence(0, LEASE)],
    ids=["other attempt", "other lease", "no attempt"],
)
def test_a_late_write_of_another_attempt_is_fenced_out(store: TaskStore, stale: Fence) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, succeed(stale, now=NOON, output=InlinePayload("{}")))
    assert store.get(task.task_id) == held


def test_a_released_task_waits_in_the_queue_with_its_error(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    ready, due = NOON + timedelta(seconds=5), NOON + timedelta(minutes=20)
    error = TaskError("ConnectionError", "try later")
    waiting = store.change(
        task.task_id, release(held.fence, not_before=ready, due_at=due, error=error, max_attempts=4)
    )
    assert waiting == replace(
        held,
        state=State.QUEUED,
        not_before=ready,
        due_at=due,
        error=error,
        lease_until=None,
        max_attempts=4,
    )


def test_a_dead_last_attempt_is_given_up_and_a_live_one_is_not(store: TaskStore) -> None:
    task = make_task(max_attempts=1)
    store.put(task)
    claimed(store, task)
    error = TaskError("Crashed", "")
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, give_up(now=NOON, error=error))
    ended = store.change(task.task_id, give_up(now=LEASE, error=error))
    assert (ended.state, ended.error) == (State.FAILED, error)


def test_progress_of_the_holding_attempt_is_kept(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    progress = Progress(3, None, "reading")
    changed = store.change(task.task_id, report_progress(held.fence, progress))
    assert changed == replace(held, progress=progress)


def test_a_listing_shows_only_the_tenants_tasks_newest_first(store: TaskStore) -> None:
    mine = [make_task(NOON + timedelta(seconds=second)) for second in range(5)]
    for task in mine:
        store.put(task)
    store.put(make_task(tenant=TenantId("acme2")))
    page = store.list(ACME, EVERYTHING, limit=10)
    assert [task.task_id for task in page.tasks] == [task.task_id for task in reversed(mine)]
    assert page.next_cursor is None


def test_pages_cover_everything_once_even_when_tasks_arrive_between(store: TaskStore) -> None:
    old = [make_task(NOON + timedelta(seconds=second)) for second in range(7)]
    for task in old:
        store.put(task)
    page = store.list(ACME, EVERYTHING, limit=3)
    seen = [task.task_id for task in page.tasks]
    store.put(make_task(NOON + timedelta(minutes=1)))
    while page.next_cursor:
        page = store.list(ACME, EVERYTHING, limit=3, cursor=page.next_cursor)
        seen += [task.task_id for task in page.tasks]
    assert seen == [task.task_id for task in reversed(old)]


def test_a_listing_filters_by_state_and_processor(store: TaskStore) -> None:
    tasks = [
        make_task(NOON + timedelta(seconds=n), processor=name)
        for n, name in enumerate(["echo", "sum", "echo", "sum"])
    ]
    for task in tasks:
        store.put(task)
    claimed(store, tasks[0])
    wanted = TaskFilter(state=State.QUEUED, processor="echo")
    page = store.list(ACME, wanted, limit=1)
    assert [task.task_id for task in page.tasks] == [tasks[2].task_id]
    assert page.next_cursor is None


def test_a_listed_task_carries_all_that_a_reader_sees(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    store.change(task.task_id, fail(held.fence, now=NOON, error=TaskError("E", "why")))
    (listed,) = store.list(ACME, EVERYTHING, limit=1).tasks
    assert (listed.state, listed.error, listed.attempts) == (State.FAILED, TaskError("E", "why"), 1)
    assert (listed.created_at, listed.started_at, listed.finished_at) == (NOON, NOON, NOON)
    assert listed.expires_at == task.expires_at


@pytest.mark.parametrize("cursor", ["nonsense!", "\x00", "ÿ", "////"])
def test_a_made_up_cursor_shows_nothing_of_another_tenant(store: TaskStore, cursor: str) -> None:
    store.put(make_task(tenant=TenantId("other")))
    assert store.list(ACME, EVERYTHING, limit=5, cursor=cursor).tasks == []


def test_of_many_claims_at_once_exactly_one_wins(concurrent_ports: Ports) -> None:
    store = concurrent_ports.tasks
    tasks = [make_task(NOON + timedelta(seconds=n)) for n in range(5)]
    for task in tasks:
        store.put(task)

    def won(task: Task) -> bool:
        try:
            claimed(store, task)
        except ChangeRefused:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        wins = list(threads.map(won, tasks * 16))
    assert sum(wins) == len(tasks)
    assert {store.get(task.task_id).attempts for task in tasks} == {1}  # type: ignore[union-attr]
