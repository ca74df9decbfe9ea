from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tandem.aws.items import task_key
from tandem.cursor import CursorInvalid
from tandem.ids import TaskId, TenantId
from tandem.tasks.recovery import recover
from tandem.tasks.store import (
    ChangeRefused,
    Follows,
    IdempotencyKey,
    KeyUsed,
    PriorUse,
    TaskFilter,
    TaskStore,
)
from tandem.tasks.task import (
    AttemptRecord,
    DueTask,
    Fence,
    InlinePayload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)
from tandem.tasks.transitions import (
    CRASHED,
    Change,
    Guard,
    cancel_queued,
    claim,
    extend_lease,
    fail,
    give_up_queued,
    hand_back,
    not_sent,
    report_progress,
    request_cancel,
    retry_later,
    send_again,
    stop,
    succeed,
)
from tandem_tools.harness.tasks import ACME, NOON, make_task, start
from tests.adapter.conftest import Ports

LEASE = NOON + timedelta(minutes=2)
EXPIRY = NOON + timedelta(days=30)
EVERYTHING = TaskFilter()


@pytest.fixture
def store(ports: Ports) -> TaskStore:
    return ports.tasks


def claimed(store: TaskStore, task: Task) -> Task:
    return store.change(task.task_id, start(now=NOON, lease_until=LEASE))


def test_a_task_is_read_back_as_it_was_put(store: TaskStore) -> None:
    task = make_task(
        input=StoredPayload("tasks/1/input.json", 300_000),
        error=TaskError("KeyError", "no such key"),
        progress=Progress(1, 2, "half"),
        not_before=NOON + timedelta(milliseconds=1),
        history=(AttemptRecord(1, NOON, LEASE, TaskError("E", "")), AttemptRecord(2, LEASE)),
        uncounted=1,
        crashes=2,
        max_crashes=1,
        alone=True,
        in_company=True,
        own_fault=True,
        first_task=make_task().task_id,
        claim_id="a",
        release_id="b",
        end_id="c",
        requested_by="operator",
        traceparent="00-1",
        cached_from=make_task().task_id,
        expires_at=EXPIRY,
    )
    store.put(task)
    assert store.get(task.task_id) == task


def test_an_unknown_task_is_none(store: TaskStore) -> None:
    assert store.get(make_task().task_id) is None


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
        claim_id=held.claim_id,
    )
    assert held.claim_id
    assert held.attempt_records == (AttemptRecord(1, NOON),)
    assert store.get(task.task_id) == held


def test_a_held_task_is_not_claimed_again_and_is_shown(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    with pytest.raises(ChangeRefused) as refused:
        claimed(store, task)
    assert refused.value.task == held


def test_a_task_whose_lease_ended_is_not_claimed_before_it_is_recovered(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    later = LEASE + timedelta(milliseconds=1)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, start(now=later, lease_until=later + timedelta(minutes=2)))
    store.change(task.task_id, recover(held, now=later, due_at=EXPIRY, expires_at=EXPIRY))
    held = store.change(task.task_id, start(now=later, lease_until=later + timedelta(minutes=2)))
    assert (held.attempts, held.started_at, held.attempt_started_at) == (2, NOON, later)


def test_a_task_that_waits_is_not_claimed_before_its_time(store: TaskStore) -> None:
    task = make_task(not_before=NOON + timedelta(seconds=1))
    store.put(task)
    with pytest.raises(ChangeRefused):
        claimed(store, task)
    ready = NOON + timedelta(seconds=1)
    held = store.change(task.task_id, start(now=ready, lease_until=LEASE))
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
    done = store.change(
        task.task_id, succeed(held, now=end, expires_at=EXPIRY, output=output, file=file)
    )
    assert done == replace(
        held,
        state=State.SUCCEEDED,
        finished_at=end,
        expires_at=EXPIRY,
        history=(AttemptRecord(1, NOON, end),),
        output=output,
        file=file,
        lease_until=None,
        due_at=None,
        end_id=done.end_id,
    )
    for change in (
        start(now=LEASE, lease_until=LEASE),
        succeed(held, now=end, expires_at=EXPIRY, output=output),
        fail(held, now=end, expires_at=EXPIRY, error=TaskError("E", "")),
        give_up_queued(now=LEASE, expires_at=EXPIRY),
        recover(held, now=LEASE, due_at=LEASE, expires_at=EXPIRY),
        cancel_queued(now=LEASE, expires_at=EXPIRY),
        request_cancel(now=LEASE),
        report_progress(held, Progress(1, None, "")),
    ):
        with pytest.raises(ChangeRefused):
            store.change(task.task_id, change)
    assert store.get(task.task_id) == done


@pytest.mark.parametrize(
    "stale",
    [Fence(2, LEASE), Fence(1, LEASE + timedelta(milliseconds=1)), Fence(2, NOON)],
    ids=["other attempt", "other lease", "other both"],
)
def test_a_late_write_of_another_attempt_is_fenced_out(store: TaskStore, stale: Fence) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    other = replace(held, attempts=stale.attempt, lease_until=stale.lease_until)
    with pytest.raises(ChangeRefused):
        store.change(
            task.task_id,
            succeed(other, now=NOON, expires_at=EXPIRY, output=InlinePayload("{}")),
        )
    assert store.get(task.task_id) == held


def test_a_failed_attempt_is_kept_with_its_error_and_the_task_waits(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    end, ready = NOON + timedelta(seconds=3), NOON + timedelta(seconds=5)
    due = NOON + timedelta(minutes=20)
    error = TaskError("ConnectionError", "try later")
    change = retry_later(held, now=end, not_before=ready, due_at=due, error=error)
    waiting = store.change(task.task_id, change)
    assert waiting == replace(
        held,
        state=State.QUEUED,
        not_before=ready,
        due_at=due,
        error=error,
        lease_until=None,
        history=(AttemptRecord(1, NOON, end, error),),
        release_id=change.write_id,
    )
    again = store.change(task.task_id, start(now=ready, lease_until=LEASE))
    assert again.attempt_records == (AttemptRecord(1, NOON, end, error), AttemptRecord(2, ready))


def test_a_task_that_is_handed_back_may_have_one_more_attempt(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    why = TaskError("OutOfTime", "")
    change = hand_back(held, now=NOON, not_before=LEASE, due_at=EXPIRY, why=why)
    waiting = store.change(task.task_id, change)
    assert (waiting.state, waiting.max_attempts, waiting.error) == (State.QUEUED, 4, None)
    assert (waiting.uncounted, waiting.not_before, waiting.due_at) == (1, LEASE, EXPIRY)
    assert waiting.history == (AttemptRecord(1, NOON, NOON, why),)


def test_a_lease_is_extended_and_the_old_fence_is_void(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    later = LEASE + timedelta(minutes=1)
    longer = store.change(task.task_id, extend_lease(held, lease_until=later))
    assert longer == replace(held, lease_until=later, due_at=later, claim_id=longer.claim_id)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, extend_lease(held, lease_until=LEASE))


def test_a_queued_task_is_cancelled_at_once(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    done = store.change(task.task_id, cancel_queued(now=NOON, expires_at=EXPIRY))
    assert done == replace(
        task,
        state=State.CANCELLED,
        finished_at=NOON,
        expires_at=EXPIRY,
        due_at=None,
        cancel_requested_at=NOON,
        end_id=done.end_id,
    )


def test_a_running_task_that_shall_stop_is_neither_retried_nor_claimed(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, stop(held, now=NOON, expires_at=EXPIRY, error=None))
    asked = store.change(task.task_id, request_cancel(now=NOON))
    assert asked == replace(held, cancel_requested_at=NOON)
    error = TaskError("E", "")
    for change in (
        retry_later(held, now=NOON, not_before=NOON, due_at=LEASE, error=error),
        hand_back(held, now=NOON, not_before=NOON, due_at=LEASE, why=error),
        start(now=LEASE, lease_until=LEASE),
        recover(held, now=LEASE, due_at=LEASE, expires_at=EXPIRY),
        give_up_queued(now=LEASE, expires_at=EXPIRY),
        recover(asked, now=NOON, due_at=LEASE, expires_at=EXPIRY),
    ):
        with pytest.raises(ChangeRefused):
            store.change(task.task_id, change)
    stopped = store.change(task.task_id, stop(held, now=NOON, expires_at=EXPIRY, error=error))
    assert (stopped.state, stopped.history) == (
        State.CANCELLED,
        (AttemptRecord(1, NOON, NOON, error),),
    )


def test_a_dead_attempt_that_should_stop_is_cancelled(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    claimed(store, task)
    asked = store.change(task.task_id, request_cancel(now=NOON))
    stopped = store.change(
        task.task_id, recover(asked, now=LEASE, due_at=EXPIRY, expires_at=EXPIRY)
    )
    assert (stopped.state, stopped.due_at) == (State.CANCELLED, None)
    assert stopped.history == (AttemptRecord(1, NOON, None, CRASHED),)


def test_overdue_tasks_are_found_longest_due_first_and_only_they(store: TaskStore) -> None:
    tasks = [make_task(NOON, due_at=NOON + timedelta(minutes=n)) for n in (3, 1, 2, 9)]
    for task in tasks:
        store.put(task)
    final = make_task(NOON, due_at=NOON)
    store.put(final)
    store.change(final.task_id, cancel_queued(now=NOON, expires_at=EXPIRY))
    now = NOON + timedelta(minutes=3)
    shards = [store.overdue(shard, now, limit=10) for shard in range(store.shards)]
    for found in shards:
        assert found == sorted(found, key=lambda due: due.due_at)
    assert {due.task_id for found in shards for due in found} == {
        task.task_id for task in tasks[:3]
    }
    assert {due.state for found in shards for due in found} == {State.QUEUED}
    assert sum(len(store.overdue(n, now, limit=1)) for n in range(store.shards)) <= store.shards


def test_tasks_that_wait_for_too_long_do_not_stand_before_those_whose_workers_died(
    store: TaskStore,
) -> None:
    for minutes in range(12):
        store.put(make_task(NOON, due_at=NOON + timedelta(minutes=minutes)))
    claimed_task, online = (
        make_task(),
        make_task(state=State.RUNNING, attempts=1, due_at=LEASE, lease_until=LEASE),
    )
    store.put(claimed_task)
    claimed(store, claimed_task)
    store.put(online)
    now = LEASE + timedelta(hours=1)
    shards = [store.overdue(shard, now, limit=2) for shard in range(store.shards)]
    assert max(map(len, shards)) <= 2
    found = {due.task_id: due.state for shard in shards for due in shard}
    assert found.keys() >= {claimed_task.task_id, online.task_id}
    assert found[claimed_task.task_id] is found[online.task_id] is State.RUNNING
    assert sum(len(store.overdue(n, now, limit=99)) for n in range(store.shards)) == 14


def test_a_task_of_a_later_time_comes_due_apart_and_is_not_late(store: TaskStore) -> None:
    later = make_task(not_before=LEASE, due_at=LEASE)
    late = make_task(due_at=NOON)
    for task in (later, late):
        store.put(task)
    shards = range(store.shards)
    early = LEASE - timedelta(milliseconds=1)
    assert [due for n in shards for due in store.come_due(n, early, limit=9)] == []
    (came,) = (due for n in shards for due in store.come_due(n, LEASE, limit=9))
    assert came == DueTask(later.task_id, State.QUEUED, LEASE, 0)
    (overdue,) = (due for n in shards for due in store.overdue(n, LEASE, limit=9))
    assert overdue.task_id == late.task_id
    sent = store.change(later.task_id, send_again(seen_due_at=LEASE, due_at=EXPIRY, late=False))
    assert (sent.sweeps, sent.not_before) == (0, LEASE)
    assert [due for n in shards for due in store.come_due(n, EXPIRY, limit=9)] == []
    (moved,) = (due for n in shards for due in store.overdue(n, EXPIRY, limit=9) if due != overdue)
    assert moved == DueTask(later.task_id, State.QUEUED, EXPIRY, 0)


def test_a_retry_of_a_later_time_comes_due_apart_and_is_not_late(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    error = TaskError("RetryAfter", "the quota is used up")
    change = retry_later(held, now=NOON, not_before=EXPIRY, due_at=EXPIRY, error=error)
    waits = store.change(task.task_id, change)
    assert (waits.state, waits.waits_for_sweep) == (State.QUEUED, True)
    assert store.get(task.task_id) == waits
    shards = range(store.shards)
    assert [due for n in shards for due in store.overdue(n, EXPIRY, limit=9)] == []
    assert [due for n in shards for due in store.waiting(n, EXPIRY, limit=9)] == []
    (came,) = (due for n in shards for due in store.come_due(n, EXPIRY, limit=9))
    assert came == DueTask(task.task_id, State.QUEUED, EXPIRY, 0)
    sent = store.change(
        task.task_id,
        send_again(seen_due_at=EXPIRY, due_at=EXPIRY + timedelta(minutes=15), late=False),
    )
    assert not sent.waits_for_sweep
    assert [due for n in shards for due in store.come_due(n, EXPIRY, limit=9)] == []
    again = store.change(task.task_id, start(now=EXPIRY, lease_until=EXPIRY + timedelta(minutes=1)))
    assert (again.attempts, again.not_before) == (2, None)


def test_tasks_that_wait_are_found_by_when_they_are_due_and_those_that_run_are_not(
    store: TaskStore,
) -> None:
    late, soon, last = (make_task(due_at=due_at) for due_at in (NOON, LEASE, EXPIRY))
    later = make_task(due_at=NOON, not_before=NOON)
    running = make_task(due_at=NOON)
    for task in (late, soon, last, later, running):
        store.put(task)
    store.change(running.task_id, start(now=NOON, lease_until=LEASE))

    def found(due_by: datetime, limit: int = 9) -> list[TaskId]:
        parts = (store.waiting(shard, due_by, limit=limit) for shard in range(store.shards))
        due = sorted((one.due_at, one.task_id) for part in parts for one in part)
        return [task_id for _, task_id in due]

    assert found(NOON) == [late.task_id]
    assert found(LEASE) == [late.task_id, soon.task_id]
    assert found(EXPIRY) == [late.task_id, soon.task_id, last.task_id]
    assert len(found(EXPIRY, limit=1)) <= store.shards


def oldest_waiting(store: TaskStore, now: datetime) -> datetime | None:
    oldest = (store.oldest_waiting(shard, now) for shard in range(store.shards))
    return min((since for since in oldest if since is not None), default=None)


def test_a_queued_task_waits_since_it_was_made_or_since_its_time_came(store: TaskStore) -> None:
    minute = timedelta(minutes=1)
    now = NOON + 10 * minute
    assert oldest_waiting(store, now) is None
    running, ended = make_task(NOON), make_task(NOON)
    for task in (running, ended, make_task(not_before=now + minute, due_at=now + 2 * minute)):
        store.put(task)
    claimed(store, running)
    store.change(ended.task_id, cancel_queued(now=NOON, expires_at=EXPIRY))
    assert oldest_waiting(store, now) is None
    made = NOON + 4 * minute
    store.put(make_task(made))
    assert oldest_waiting(store, now) == made
    retried = NOON + 3 * minute
    store.put(make_task(not_before=retried, due_at=now + minute))
    assert oldest_waiting(store, now) == retried


def test_a_task_whose_time_came_waits_though_the_sweep_has_not_sent_it(store: TaskStore) -> None:
    for time in (LEASE, LEASE + timedelta(minutes=5), EXPIRY):
        store.put(make_task(not_before=time, due_at=time))
    assert oldest_waiting(store, LEASE - timedelta(milliseconds=1)) is None
    assert oldest_waiting(store, LEASE + timedelta(minutes=9)) == LEASE


def test_a_task_is_sent_again_once_for_each_due_time(store: TaskStore) -> None:
    task = make_task(due_at=NOON)
    store.put(task)
    change = send_again(seen_due_at=NOON, due_at=LEASE)
    moved = store.change(task.task_id, change)
    assert moved == replace(task, due_at=LEASE, sweeps=1, release_id=change.write_id)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, send_again(seen_due_at=NOON, due_at=EXPIRY))
    (due,) = (one for n in range(store.shards) for one in store.overdue(n, LEASE, limit=5))
    assert (due.due_at, due.sweeps) == (LEASE, 1)


def test_a_task_that_could_not_be_sent_is_due_again_soon_as_if_it_had_not_been_found(
    store: TaskStore,
) -> None:
    task = make_task(due_at=NOON)
    store.put(task)
    moved = store.change(task.task_id, send_again(seen_due_at=NOON, due_at=EXPIRY))
    back = not_sent(moved, due_at=LEASE, sweeps=task.sweeps)
    left = store.change(task.task_id, back)
    assert left == replace(task, due_at=LEASE, release_id=back.write_id)
    (due,) = (one for n in range(store.shards) for one in store.overdue(n, LEASE, limit=5))
    assert (due.due_at, due.sweeps) == (LEASE, 0)
    store.change(task.task_id, start(now=LEASE, lease_until=EXPIRY))
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, not_sent(moved, due_at=LEASE, sweeps=0))


def test_a_dead_attempt_is_queued_again_and_a_live_one_is_not(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    early = LEASE - timedelta(milliseconds=1)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, recover(held, now=early, due_at=LEASE, expires_at=EXPIRY))
    change = recover(held, now=LEASE, due_at=EXPIRY, expires_at=EXPIRY)
    queued = store.change(task.task_id, change)
    assert queued == replace(
        held,
        state=State.QUEUED,
        not_before=LEASE,
        due_at=EXPIRY,
        lease_until=None,
        error=CRASHED,
        sweeps=1,
        crashes=1,
        alone=True,
        history=(AttemptRecord(1, NOON, None, CRASHED),),
        release_id=change.write_id,
    )


def in_company(now: datetime = NOON) -> Change:
    return claim(now=now, lease_until=LEASE, alone=False, in_company=True)


def test_an_attempt_that_dies_in_company_costs_none_and_is_not_marked(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = store.change(task.task_id, in_company())
    assert held.in_company
    change = recover(held, now=LEASE, due_at=EXPIRY, expires_at=EXPIRY)
    queued = store.change(task.task_id, change)
    assert (queued.max_attempts, queued.uncounted, queued.alone) == (4, 1, False)
    assert store.get(task.task_id) == queued
    again = store.change(task.task_id, start(now=LEASE, lease_until=EXPIRY))
    assert not again.in_company
    assert store.get(task.task_id) == again


def test_a_marked_task_is_claimed_only_by_who_runs_it_alone(store: TaskStore) -> None:
    task = make_task(alone=True)
    store.put(task)
    with pytest.raises(ChangeRefused) as refused:
        store.change(task.task_id, in_company())
    assert refused.value.task == task
    held = store.change(task.task_id, start(now=NOON, lease_until=LEASE))
    assert (held.alone, held.in_company) == (True, False)


@pytest.mark.parametrize("flag", ["alone", "in_company", "own_fault"])
def test_a_flag_that_is_cleared_has_no_attribute(on_moto: Ports, flag: str) -> None:
    task = make_task(**{flag: True})
    on_moto.tasks.put(task)
    assert item_of(on_moto, task)[flag] == {"BOOL": True}
    change = Change(guards=(Guard(state=State.QUEUED),), to=State.QUEUED, sets={flag: False})
    assert on_moto.tasks.change(task.task_id, change) == replace(task, **{flag: False})
    assert flag not in item_of(on_moto, task)


def item_of(ports: Ports, task: Task) -> dict[str, Any]:
    store: Any = ports.tasks
    assert ports.clients is not None
    return ports.clients.dynamodb.get_item(TableName=store._table, Key=task_key(task.task_id))[
        "Item"
    ]


INDEX_KEYS = ("due_shard", "due_at", "view", "view_order", "listed_at", "lease_until")


def test_a_task_leaves_the_indexes_of_what_it_was(on_moto: Ports) -> None:
    store = on_moto.tasks
    succeeding, failing = make_task(), make_task(not_before=LEASE, due_at=LEASE)
    for task in (succeeding, failing):
        store.put(task)
    assert item_of(on_moto, failing)["due_shard"]["S"].startswith("later#")
    held = claimed(store, succeeding)
    output = InlinePayload("{}")
    store.change(held.task_id, succeed(held, now=NOON, expires_at=EXPIRY, output=output))
    assert not item_of(on_moto, succeeding).keys() & {*INDEX_KEYS}
    held = store.change(failing.task_id, start(now=LEASE, lease_until=EXPIRY))
    assert item_of(on_moto, failing)["due_shard"]["S"].startswith("lease#")
    error = TaskError("E", "")
    store.change(held.task_id, fail(held, now=LEASE, expires_at=EXPIRY, error=error))
    left = item_of(on_moto, failing)
    assert left.keys() & {*INDEX_KEYS} == {"view", "view_order", "listed_at"}
    store.put(make_task(), follows=Follows(task_id=failing.task_id, first=True))
    assert not item_of(on_moto, failing).keys() & {*INDEX_KEYS}


def once(key: str = "k", fingerprint: str = "f", now: datetime = NOON) -> IdempotencyKey:
    return IdempotencyKey(key, fingerprint, now, now + timedelta(hours=24))


def test_under_one_key_one_task_is_recorded(store: TaskStore) -> None:
    first, second = make_task(), make_task()
    store.put(first, once=once())
    with pytest.raises(KeyUsed) as used:
        store.put(second, once=once(fingerprint="other"))
    assert used.value.before == PriorUse("f", first.task_id)
    assert store.get(second.task_id) is None
    store.put(second, once=once("other"))


def test_an_expired_key_can_be_used_again(store: TaskStore) -> None:
    store.put(make_task(), once=once())
    later = make_task()
    store.put(later, once=once(now=NOON + timedelta(hours=24)))
    with pytest.raises(KeyUsed) as used:
        store.claim_key(once(now=NOON + timedelta(hours=25)), "upload")
    assert used.value.before.made == later.task_id


def test_a_key_is_claimed_for_other_things_too(store: TaskStore) -> None:
    store.claim_key(once(), "upload-1")
    with pytest.raises(KeyUsed) as used:
        store.claim_key(once(), "upload-2")
    assert used.value.before == PriorUse("f", "upload-1")


def test_of_many_puts_under_one_key_exactly_one_wins(concurrent_ports: Ports) -> None:
    store = concurrent_ports.tasks

    def won(_: int) -> bool:
        try:
            store.put(make_task(), once=once())
        except KeyUsed:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(won, range(32))) == 1


def test_a_dead_last_attempt_fails_its_task(store: TaskStore) -> None:
    task = make_task(max_attempts=1)
    store.put(task)
    held = claimed(store, task)
    ended = store.change(task.task_id, recover(held, now=LEASE, due_at=EXPIRY, expires_at=EXPIRY))
    assert (ended.state, ended.error, ended.listed_at) == (State.FAILED, CRASHED, LEASE)
    assert (ended.due_at, ended.lease_until) == (None, None)


def test_a_task_that_waits_without_an_attempt_left_is_given_up(store: TaskStore) -> None:
    spent, fresh = make_task(attempts=3), make_task()
    for task in (spent, fresh):
        store.put(task)
    give_up = give_up_queued(now=LEASE, expires_at=EXPIRY)
    with pytest.raises(ChangeRefused):
        store.change(fresh.task_id, give_up)
    ended = store.change(spent.task_id, give_up)
    assert (ended.state, ended.error, ended.due_at) == (State.FAILED, CRASHED, None)


def test_progress_of_the_holding_attempt_is_kept(store: TaskStore) -> None:
    task = make_task()
    store.put(task)
    held = claimed(store, task)
    progress = Progress(3, None, "reading")
    changed = store.change(task.task_id, report_progress(held, progress))
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
    store.change(task.task_id, fail(held, now=NOON, expires_at=EXPIRY, error=TaskError("E", "why")))
    (listed,) = store.list(ACME, EVERYTHING, limit=1).tasks
    assert (listed.state, listed.error, listed.attempts) == (State.FAILED, TaskError("E", "why"), 1)
    assert (listed.created_at, listed.started_at, listed.finished_at) == (NOON, NOON, NOON)
    assert listed.expires_at == EXPIRY


@pytest.mark.parametrize("cursor", ["", "nonsense!", "\x00", "ÿ", "////", "x" * 300, "IA"])
def test_a_cursor_that_no_listing_gave_is_refused(store: TaskStore, cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        store.list(ACME, EVERYTHING, limit=5, cursor=cursor)


def test_a_cursor_of_another_tenant_or_filter_shows_only_what_is_asked_for(
    store: TaskStore,
) -> None:
    other = TenantId("other")
    for second in range(3):
        store.put(make_task(NOON + timedelta(seconds=second), tenant=other, processor="sum"))
    mine = make_task(NOON, processor="echo")
    store.put(mine)
    cursor = store.list(other, TaskFilter(processor="sum"), limit=1).next_cursor
    for wanted in (EVERYTHING, TaskFilter(processor="echo")):
        page = store.list(ACME, wanted, limit=5, cursor=cursor)
        assert [task.task_id for task in page.tasks] == [mine.task_id]
        assert page.next_cursor is None


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
