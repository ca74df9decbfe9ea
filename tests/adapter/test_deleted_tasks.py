from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.callbacks.callback import Callback
from tandem.ids import TaskId
from tandem.reports.window import Window
from tandem.tasks.store import AlreadyRetried, ChangeRefused, Follows, TaskFilter, TaskStore
from tandem.tasks.task import State, StoredPayload, Task
from tandem.tasks.transitions import cancel_queued
from tandem_tools.harness.tasks import ACME, NOON
from tests.adapter.conftest import SHARDS, Ports
from tests.factories.ended import SECRET, ended_task

LATER = NOON + timedelta(hours=1)
EXPIRY = NOON + timedelta(days=14)
HOOK = Callback(url=f"https://example.com/{SECRET}")


def full_task(**fields: Any) -> Task:
    """Return a task that stands in every list there is, and whose file is in the blob store."""
    listed = {"state": State.FAILED, "listed_at": NOON, "callback": HOOK, "own_fault": True}
    stored = {"file": StoredPayload("tasks/1/1/files/a.csv", 7), "cache_key": "key"}
    return ended_task(**listed | stored | fields)


def deleted(store: TaskStore, task: Task) -> Task:
    store.put(task)
    store.delete(task, now=LATER)
    return task


def every_shard[T](ask: Callable[[int], list[T]], shards: int = SHARDS) -> list[T]:
    return [one for shard in range(shards) for one in ask(shard)]


def to_purge(store: TaskStore) -> list[TaskId]:
    return every_shard(lambda shard: store.deletions(shard, LATER, limit=10), store.shards)


def test_a_deleted_task_is_not_there_and_in_no_list(ports: Ports) -> None:
    store, callbacks = ports.tasks, ports.callbacks
    task = deleted(store, full_task())
    assert store.get(task.task_id) is None
    assert store.list(ACME, TaskFilter(), limit=10).tasks == []
    assert store.failed(limit=10).tasks == []
    assert sum(store.count_failed(shard) for shard in range(store.shards)) == 0
    waiting = every_shard(lambda shard: callbacks.waiting(shard, LATER, limit=10), callbacks.shards)
    assert waiting == []


def test_reports_count_a_deleted_task_as_before_until_it_is_purged(ports: Ports) -> None:
    task = full_task()
    ports.tasks.put(task)
    window = Window.holding(NOON)

    def counted() -> list[Any]:
        return every_shard(
            lambda shard: list(ports.reports.finished_in(window, shard)), ports.reports.shards
        )

    before = counted()
    ports.tasks.delete(task, now=LATER)
    assert len(before) == 1
    assert counted() == before
    ports.tasks.purge(task.task_id, expires_at=EXPIRY)
    assert counted() == []


def test_a_task_is_deleted_once_and_a_purge_leaves_its_id(ports: Ports) -> None:
    store = ports.tasks
    task = deleted(store, full_task())
    left = store.deletion(task.task_id)
    assert left is not None
    assert (left.deleted_at, left.finished_at, left.cache_key) == (LATER, NOON, "key")
    assert to_purge(store) == [task.task_id]
    for _ in range(2):
        store.delete(task, now=LATER + timedelta(days=1))
        assert store.deletion(task.task_id) in (
            left,
            replace(left, finished_at=None, cache_key=None),
        )
        store.purge(task.task_id, expires_at=EXPIRY)
    assert to_purge(store) == []
    left = store.deletion(task.task_id)
    assert left is not None
    assert (left.finished_at, left.cache_key) == (None, None)
    assert store.get(task.task_id) is None


def test_deleted_tasks_come_in_the_order_of_their_ends_and_not_before_their_time(
    ports: Ports,
) -> None:
    store = ports.tasks
    tasks = [
        deleted(store, ended_task(NOON + timedelta(minutes=minutes))) for minutes in (2, 0, 1, 60)
    ]
    ids = [tasks[place].task_id for place in (1, 2, 0)]
    assert sorted(to_purge(store)) == sorted(ids)
    for shard in range(store.shards):
        of_shard = store.deletions(shard, LATER, limit=10)
        assert of_shard == [one for one in ids if one in of_shard]
        assert store.deletions(shard, LATER, limit=1) == of_shard[:1]


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_a_task_that_is_not_final_is_not_deleted(ports: Ports, state: State) -> None:
    task = replace(ended_task(), state=state, finished_at=None, due_at=NOON)
    ports.tasks.put(task)
    with pytest.raises(ChangeRefused) as refused:
        ports.tasks.delete(task, now=LATER)
    assert refused.value.task == task
    assert not refused.value.deleted
    assert ports.tasks.get(task.task_id) == task


def test_what_was_never_there_is_not_deleted_and_not_purged(ports: Ports) -> None:
    task = ended_task()
    with pytest.raises(ChangeRefused) as refused:
        ports.tasks.delete(task, now=LATER)
    assert (refused.value.task, refused.value.deleted) == (None, False)
    ports.tasks.purge(task.task_id, expires_at=EXPIRY)
    assert ports.tasks.deletion(task.task_id) is None


def test_a_task_that_was_not_deleted_is_not_purged(ports: Ports) -> None:
    ports.tasks.put(task := ended_task())
    ports.tasks.purge(task.task_id, expires_at=EXPIRY)
    assert ports.tasks.get(task.task_id) == task
    assert ports.tasks.deletion(task.task_id) is None


@pytest.mark.parametrize("purged", [False, True])
def test_nothing_changes_or_follows_a_deleted_task(ports: Ports, *, purged: bool) -> None:
    store = ports.tasks
    task = deleted(store, full_task())
    if purged:
        store.purge(task.task_id, expires_at=EXPIRY)
    with pytest.raises(ChangeRefused) as refused:
        store.change(task.task_id, cancel_queued(now=LATER, expires_at=EXPIRY))
    assert (refused.value.task, refused.value.deleted) == (None, True)
    for first in (True, False):
        again = ended_task(LATER)
        with pytest.raises(AlreadyRetried):
            store.put(again, follows=Follows(task_id=task.task_id, first=first))
        assert store.get(again.task_id) is None
    store.put(task)  # an SDK sends a submit again, however late
    assert store.get(task.task_id) is None


def test_a_callback_of_a_deleted_task_stays_away(ports: Ports) -> None:
    task = deleted(ports.tasks, full_task())
    ports.callbacks.handed_over(task.task_id)
    assert ports.callbacks.record(task.task_id, HOOK, seen=HOOK) is None
    ports.callbacks.reopen(task.task_id, HOOK)
    assert ports.tasks.get(task.task_id) is None
    waiting = every_shard(
        lambda shard: ports.callbacks.waiting(shard, LATER, limit=10), ports.callbacks.shards
    )
    assert waiting == []


def item_of(ports: Ports, task: Task) -> dict[str, Any]:
    assert ports.clients is not None
    table = ports.clients.dynamodb.list_tables()["TableNames"][-1]
    return ports.clients.dynamodb.get_item(
        TableName=table, Key={"pk": {"S": f"task#{task.task_id}"}}
    )["Item"]


def test_no_content_stays_in_the_item_and_a_purge_leaves_an_id_that_goes(on_moto: Ports) -> None:
    task = full_task(requested_by=SECRET, retry_of=TaskId(SECRET), first_task=TaskId(SECRET))
    on_moto.tasks.put(task)
    assert SECRET in str(item_of(on_moto, task))
    on_moto.tasks.delete(task, now=LATER)
    item = item_of(on_moto, task)
    assert SECRET not in str(item)
    assert not {"owner", "created", "callback_shard", "listed_at", "history"} & item.keys()
    on_moto.tasks.purge(task.task_id, expires_at=EXPIRY)
    left = item_of(on_moto, task)
    assert left.keys() == {"pk", "deleted_at", "expires_at"}
    assert left["expires_at"] == {"N": str(int(EXPIRY.timestamp()))}


def test_a_delete_whose_answer_was_lost_is_a_success(
    on_moto: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_moto.clients is not None
    client = on_moto.clients.dynamodb
    send = client.update_item

    def sent_twice(**call: Any) -> Any:
        send(**call)
        return send(**call)

    task = full_task()
    on_moto.tasks.put(task)
    monkeypatch.setattr(client, "update_item", sent_twice)
    on_moto.tasks.delete(task, now=LATER)
    assert on_moto.tasks.get(task.task_id) is None


def test_several_deletions_at_once_are_one(concurrent_ports: Ports) -> None:
    store = concurrent_ports.tasks
    store.put(task := full_task())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.delete(task, now=LATER), range(4)))
    assert store.get(task.task_id) is None
    assert to_purge(store) == [task.task_id]
