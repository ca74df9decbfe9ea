"""The list of failed tasks that wait for a decision, and the tasks that do them again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from tandem.callbacks.callback import Callback
from tandem.cursor import CursorInvalid, place_in, to_cursor
from tandem.ids import TaskId, TenantId
from tandem.tasks.store import AlreadyRetried, Follows, IdempotencyKey, KeyUsed, TaskStore
from tandem.tasks.task import InlinePayload, Task, TaskError
from tandem.tasks.transitions import fail
from tandem_tools.harness.tasks import NOON, finish_at, make_task, start
from tests.adapter.conftest import Ports

EXPIRY = NOON + timedelta(days=30)
THREADS = 8


@pytest.fixture
def store(ports: Ports) -> TaskStore:
    return ports.tasks


def fail_at(store: TaskStore, moment: datetime, **fields: Any) -> Task:
    """Record a task that fails at a moment, and return it."""
    store.put(task := make_task(moment, **fields))
    held = store.change(task.task_id, start(now=moment, lease_until=moment + timedelta(minutes=1)))
    error = TaskError("KeyError", "a bug")
    end = fail(held, now=moment, expires_at=EXPIRY, error=error)
    return store.change(task.task_id, end)


def listed(store: TaskStore, limit: int = 100) -> list[TaskId]:
    """Return all failed tasks that are listed, read in pages of so many."""
    page = store.failed(limit=limit)
    found = [task.task_id for task in page.tasks]
    while page.next_cursor is not None:
        assert len(page.tasks) <= limit
        page = store.failed(limit=limit, cursor=page.next_cursor)
        found += [task.task_id for task in page.tasks]
    return found


def counted(store: TaskStore) -> int:
    return sum(map(store.count_failed, range(store.shards)))


def follow(
    store: TaskStore, failed: Task, *, first: bool = True, once: IdempotencyKey | None = None
) -> Task:
    """Record a task that does a failed one again, and return it."""
    new = make_task(retry_of=failed.task_id)
    store.put(new, once=once, follows=Follows(task_id=failed.task_id, first=first))
    return new


def test_nothing_is_listed_at_first(store: TaskStore) -> None:
    finish_at(store, make_task(), NOON)
    store.put(make_task())
    assert (store.failed(limit=10).tasks, store.failed(limit=10).next_cursor) == ([], None)
    assert counted(store) == 0


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_failed_tasks_are_listed_page_by_page_oldest_first(store: TaskStore, limit: int) -> None:
    failed = [fail_at(store, NOON + timedelta(minutes=n)) for n in (5, 2, 7, 1, 3, 6, 4)]
    oldest_first = sorted(failed, key=lambda task: task.listed_at or NOON)
    assert listed(store, limit) == [task.task_id for task in oldest_first]
    assert counted(store) == 7


def test_a_page_can_start_behind_any_task_by_its_place(store: TaskStore) -> None:
    failed = [fail_at(store, NOON + timedelta(minutes=n, microseconds=n)) for n in range(5)]
    for number, task in enumerate(failed):
        cursor = to_cursor(place_in(task.listed_at or NOON, task.task_id))
        rest = store.failed(limit=10, cursor=cursor).tasks
        assert [one.task_id for one in rest] == [one.task_id for one in failed[number + 1 :]]


@pytest.mark.parametrize("cursor", ["abc", "2026-01-01T12:00:00.000Z#x", ""])
def test_a_cursor_that_no_list_gave_is_refused(ports: Ports, cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        ports.tasks.failed(limit=10, cursor=cursor)
    with pytest.raises(CursorInvalid):
        ports.callbacks.given_up(limit=10, cursor=cursor)


def test_tasks_that_failed_in_one_millisecond_are_all_listed(store: TaskStore) -> None:
    failed = {fail_at(store, NOON).task_id for _ in range(5)}
    assert len(listed(store, 2)) == 5
    assert {*listed(store, 2)} == failed


def test_a_listed_task_is_as_it_was_written_without_its_input(store: TaskStore) -> None:
    task = fail_at(store, NOON, tenant=TenantId("other"), requested_by="operator")
    (shown,) = store.failed(limit=1).tasks
    assert shown == replace(task, input=InlinePayload(""))


def test_a_list_reads_no_payload(on_moto: Ports) -> None:
    fail_at(on_moto.tasks, NOON, input=InlinePayload("x" * 100_000))
    read: list[int] = []
    assert on_moto.clients is not None
    on_moto.clients.dynamodb.meta.events.register(
        "response-received.dynamodb.BatchGetItem",
        lambda response_dict, **_: read.append(len(response_dict["body"])),
    )
    assert len(on_moto.tasks.failed(limit=10).tasks) == 1
    assert read
    assert sum(read) < 10_000


def test_each_part_counts_its_own(store: TaskStore) -> None:
    for n in range(12):
        fail_at(store, NOON + timedelta(minutes=n))
    counts = [store.count_failed(shard) for shard in range(store.shards)]
    assert sum(counts) == 12
    assert all(counts)


@pytest.mark.parametrize("first", [True, False], ids=["redrive", "retry"])
def test_a_failed_task_leaves_the_list_by_the_put_of_the_one_that_follows(
    store: TaskStore, *, first: bool
) -> None:
    failed, other = fail_at(store, NOON), fail_at(store, NOON + timedelta(minutes=1))
    new = follow(store, failed, first=first)
    assert store.get(new.task_id) == new
    assert store.get(failed.task_id) == replace(failed, listed_at=None, retried_as=new.task_id)
    assert listed(store) == [other.task_id]
    assert counted(store) == 1


def test_a_page_goes_on_where_a_task_has_left_the_list(store: TaskStore) -> None:
    failed = [fail_at(store, NOON + timedelta(minutes=n)) for n in range(4)]
    page = store.failed(limit=2)
    follow(store, failed[1])
    follow(store, failed[2])
    rest = store.failed(limit=2, cursor=page.next_cursor)
    assert [task.task_id for task in rest.tasks] == [failed[3].task_id]


def test_only_one_task_is_the_first_that_follows(store: TaskStore) -> None:
    failed = fail_at(store, NOON)
    new = follow(store, failed)
    second = make_task()
    with pytest.raises(AlreadyRetried) as already:
        store.put(second, follows=Follows(task_id=failed.task_id, first=True))
    assert already.value.retried_as == new.task_id
    assert store.get(second.task_id) is None


def test_others_may_follow_and_the_first_stays_named(store: TaskStore) -> None:
    failed = fail_at(store, NOON)
    first, second = (follow(store, failed, first=False) for _ in range(2))
    assert store.get(second.task_id) == second
    assert store.get(failed.task_id) == replace(failed, listed_at=None, retried_as=first.task_id)
    with pytest.raises(AlreadyRetried) as already:
        follow(store, failed)
    assert already.value.retried_as == first.task_id


@pytest.mark.parametrize("first", [True, False], ids=["redrive", "retry"])
def test_nothing_follows_a_task_that_is_gone(store: TaskStore, *, first: bool) -> None:
    new, gone = make_task(), make_task()
    with pytest.raises(AlreadyRetried) as already:
        store.put(new, follows=Follows(task_id=gone.task_id, first=first))
    assert already.value.retried_as is None
    assert (store.get(new.task_id), store.get(gone.task_id)) == (None, None)


def key(name: str = "k") -> IdempotencyKey:
    return IdempotencyKey(name, "f", NOON, NOON + timedelta(hours=24))


def test_a_key_that_is_used_leaves_the_failed_task_on_the_list(store: TaskStore) -> None:
    failed = fail_at(store, NOON)
    store.put(make_task(), once=key())
    with pytest.raises(KeyUsed):
        follow(store, failed, first=False, once=key())
    assert listed(store) == [failed.task_id]
    assert store.get(failed.task_id) == failed


def test_a_task_that_cannot_follow_uses_no_key(store: TaskStore) -> None:
    failed = fail_at(store, NOON)
    follow(store, failed)
    with pytest.raises(AlreadyRetried):
        follow(store, failed, once=key())
    store.claim_key(key(), "upload")


def test_a_key_and_a_failed_task_are_taken_together(store: TaskStore) -> None:
    failed = fail_at(store, NOON)
    new = follow(store, failed, once=key())
    assert listed(store) == []
    with pytest.raises(KeyUsed) as used:
        store.claim_key(key(), "upload")
    assert used.value.before.made == new.task_id


def at_once(write: Callable[[int], Any]) -> list[Any]:
    """Return what each of several threads got or met by a write that all begin together."""
    barrier = Barrier(THREADS)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return write(number)
        except (AlreadyRetried, KeyUsed) as refused:
            return refused

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))


KEYS: dict[str, Callable[[int], IdempotencyKey | None]] = {
    "no keys": lambda _: None,
    "a key each": lambda number: key(str(number)),
    "one key": lambda _: key(),
}


@pytest.mark.parametrize("key_of", KEYS.values(), ids=KEYS)
def test_of_many_that_would_be_first_at_once_exactly_one_is(
    concurrent_ports: Ports, key_of: Callable[[int], IdempotencyKey | None]
) -> None:
    store = concurrent_ports.tasks
    failed = fail_at(store, NOON)
    met = at_once(lambda number: follow(store, failed, once=key_of(number)))
    (winner,) = (one for one in met if isinstance(one, Task))
    after = store.get(failed.task_id)
    assert after == replace(failed, listed_at=None, retried_as=winner.task_id)
    assert listed(store) == []
    for refused in met:
        if isinstance(refused, AlreadyRetried):
            assert refused.retried_as == winner.task_id
        if isinstance(refused, KeyUsed):
            assert refused.before.made == winner.task_id


def test_a_failed_task_is_followed_while_others_write_it(concurrent_ports: Ports) -> None:
    store = concurrent_ports.tasks
    failed = fail_at(store, NOON, callback=Callback(url="https://hooks.example.com/"))

    def write(number: int) -> Task | None:
        if number % 2:
            return follow(store, failed)
        concurrent_ports.callbacks.handed_over(failed.task_id)
        return None

    (winner,) = (one for one in at_once(write) if isinstance(one, Task))
    after = store.get(failed.task_id)
    assert after is not None
    assert after.retried_as == winner.task_id


def test_many_that_follow_at_once_are_all_recorded(concurrent_ports: Ports) -> None:
    store = concurrent_ports.tasks
    failed = fail_at(store, NOON)
    met = at_once(lambda _: follow(store, failed, first=False))
    assert {store.get(one.task_id) for one in met} == {*met}
    after = store.get(failed.task_id)
    assert after is not None
    assert after.retried_as in {one.task_id for one in met}
