"""The same write again, as an SDK sends it when its answer was lost: it changes nothing more."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tandem.aws import contention
from tandem.contended import Contended
from tandem.tasks.recovery import recover
from tandem.tasks.store import ChangeRefused, Follows, IdempotencyKey, KeyUsed, TaskStore
from tandem.tasks.task import InlinePayload, Progress, State, Task, TaskError
from tandem.tasks.transitions import (
    Change,
    cancel_queued,
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
from tandem_tools.harness.tasks import NOON, make_task, start
from tests.adapter.conftest import Clients, Ports

LEASE = NOON + timedelta(minutes=2)
LATER = LEASE + timedelta(minutes=2)
EXPIRY = NOON + timedelta(days=30)
ERROR = TaskError("ConnectionError", "try later")

type Write = Callable[[Ports, Task], None]


def queued(store: TaskStore, **fields: Any) -> Task:
    """Record a task and return it."""
    store.put(task := make_task(**fields))
    return task


def running(store: TaskStore) -> Task:
    """Record a task, start its attempt and return it."""
    return store.change(queued(store).task_id, start(now=NOON, lease_until=LEASE))


def stopping(store: TaskStore) -> Task:
    """Record a task whose attempt was asked to stop, and return it."""
    return store.change(running(store).task_id, request_cancel(now=NOON))


def spent(store: TaskStore) -> Task:
    """Record a task that waits with no attempt left, and return it."""
    return queued(store, attempts=3)


def last_running(store: TaskStore) -> Task:
    """Record a task, start its last attempt and return it."""
    return store.change(queued(store, max_attempts=1).task_id, start(now=NOON, lease_until=LEASE))


def progressed(ports: Ports, task: Task) -> None:
    ports.tasks.change(task.task_id, report_progress(task, Progress(1, 2, "half")))


def asked_to_stop(ports: Ports, task: Task) -> None:
    ports.tasks.change(task.task_id, request_cancel(now=NOON))


def claimed_again(ports: Ports, task: Task) -> None:
    ports.tasks.change(task.task_id, start(now=LATER, lease_until=EXPIRY))


def called_back(ports: Ports, task: Task) -> None:
    ports.callbacks.handed_over(task.task_id)


def retried(ports: Ports, task: Task) -> None:
    follows = Follows(task_id=task.task_id, first=True)
    ports.tasks.put(make_task(retry_of=task.task_id), follows=follows)


@dataclass(frozen=True)
class Case:
    """A kind of change, the task that it is made to, and what may be written after it."""

    of: Callable[[TaskStore], Task]
    make: Callable[[Task], Change]
    to: State
    between: tuple[Write, ...]


CASES = {
    "claim": Case(
        queued,
        lambda _: start(now=NOON, lease_until=LEASE),
        State.RUNNING,
        (progressed, asked_to_stop),
    ),
    "extend_lease": Case(
        running,
        lambda task: extend_lease(task, lease_until=LATER),
        State.RUNNING,
        (progressed, asked_to_stop),
    ),
    "retry_later": Case(
        running,
        lambda task: retry_later(task, now=NOON, not_before=LEASE, due_at=LATER, error=ERROR),
        State.QUEUED,
        (claimed_again,),
    ),
    "hand_back": Case(
        running,
        lambda task: hand_back(task, now=NOON, not_before=LEASE, due_at=LATER, why=ERROR),
        State.QUEUED,
        (claimed_again,),
    ),
    "succeed": Case(
        running,
        lambda task: succeed(task, now=NOON, expires_at=EXPIRY, output=InlinePayload("{}")),
        State.SUCCEEDED,
        (called_back,),
    ),
    "fail": Case(
        running,
        lambda task: fail(task, now=NOON, expires_at=EXPIRY, error=ERROR),
        State.FAILED,
        (called_back, retried),
    ),
    "stop": Case(
        stopping,
        lambda task: stop(task, now=NOON, expires_at=EXPIRY, error=ERROR),
        State.CANCELLED,
        (called_back,),
    ),
    "cancel_queued": Case(
        queued,
        lambda _: cancel_queued(now=NOON, expires_at=EXPIRY),
        State.CANCELLED,
        (called_back,),
    ),
    "give_up_queued": Case(
        spent,
        lambda _: give_up_queued(now=NOON, expires_at=EXPIRY),
        State.FAILED,
        (called_back, retried),
    ),
    "send_again": Case(
        queued,
        lambda task: send_again(seen_due_at=task.due_at or NOON, due_at=LATER),
        State.QUEUED,
        (claimed_again,),
    ),
    "not_sent": Case(
        queued,
        lambda task: not_sent(task, due_at=LATER, sweeps=0),
        State.QUEUED,
        (claimed_again,),
    ),
    "recover to the queue": Case(
        running,
        lambda task: recover(task, now=LEASE, due_at=LATER, expires_at=EXPIRY),
        State.QUEUED,
        (claimed_again,),
    ),
    "recover, out of attempts": Case(
        last_running,
        lambda task: recover(task, now=LEASE, due_at=LATER, expires_at=EXPIRY),
        State.FAILED,
        (retried,),
    ),
    "recover, asked to stop": Case(
        stopping,
        lambda task: recover(task, now=LEASE, due_at=LATER, expires_at=EXPIRY),
        State.CANCELLED,
        (called_back,),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_change_made_twice_is_made_once_and_a_strangers_is_refused(
    ports: Ports, case: Case
) -> None:
    store = ports.tasks
    task = case.of(store)
    change = case.make(task)
    first = store.change(task.task_id, change)
    assert first.state is case.to
    assert store.change(task.task_id, change) == first
    assert store.get(task.task_id) == first
    with pytest.raises(ChangeRefused) as refused:
        store.change(task.task_id, case.make(task))
    assert refused.value.task == store.get(task.task_id) == first


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_change_made_again_after_another_write_leaves_that_as_it_is(
    ports: Ports, case: Case
) -> None:
    store = ports.tasks
    for write in case.between:
        task = case.of(store)
        change = case.make(task)
        write(ports, store.change(task.task_id, change))
        now = store.get(task.task_id)
        assert store.change(task.task_id, change) == now
        assert store.get(task.task_id) == now


def test_a_claim_made_again_after_the_next_one_is_refused(ports: Ports) -> None:
    store = ports.tasks
    task = queued(store)
    claim = start(now=NOON, lease_until=LEASE)
    held = store.change(task.task_id, claim)
    again = retry_later(held, now=NOON, not_before=LEASE, due_at=LATER, error=ERROR)
    store.change(task.task_id, again)
    claimed_again(ports, task)
    with pytest.raises(ChangeRefused):
        store.change(task.task_id, claim)


@pytest.mark.parametrize("kind", ["progress", "request to stop"])
def test_what_decides_nothing_is_the_same_when_it_is_written_twice(ports: Ports, kind: str) -> None:
    store = ports.tasks
    task = running(store)
    progress = report_progress(task, Progress(1, None, "reading"))
    change = progress if kind == "progress" else request_cancel(now=NOON)
    first = store.change(task.task_id, change)
    assert store.change(task.task_id, change) == first


# --- Puts -----------------------------------------------------------------------------------------


def once(hours: int = 0) -> IdempotencyKey:
    now = NOON + timedelta(hours=hours)
    return IdempotencyKey("k", "f", now, now + timedelta(hours=24))


def made_under_the_key(store: TaskStore, hours: int = 0) -> str:
    """Return what the key was used for."""
    with pytest.raises(KeyUsed) as used:
        store.claim_key(once(hours), "something else")
    return used.value.before.made


@pytest.mark.parametrize("key", [None, once()], ids=["no key", "key"])
def test_a_put_made_twice_records_one_task(ports: Ports, key: IdempotencyKey | None) -> None:
    store = ports.tasks
    task = make_task()
    for _ in range(2):
        store.put(task, once=key)
    assert store.get(task.task_id) == task
    held = store.change(task.task_id, start(now=NOON, lease_until=LEASE))
    store.put(task, once=key)
    assert store.get(task.task_id) == held


def test_a_put_made_again_after_anothers_put_of_its_key_stays(ports: Ports) -> None:
    store = ports.tasks
    first, second = make_task(), make_task()
    store.put(first, once=once())
    with pytest.raises(KeyUsed):
        store.put(second, once=once())
    store.put(first, once=once())
    assert store.get(second.task_id) is None
    assert made_under_the_key(store) == first.task_id


def test_a_put_made_again_after_its_key_went_to_another_takes_nothing_back(ports: Ports) -> None:
    store = ports.tasks
    first, second = make_task(), make_task()
    store.put(first, once=once())
    store.put(second, once=once(hours=25))
    store.put(first, once=once())
    assert (store.get(first.task_id), store.get(second.task_id)) == (first, second)
    assert made_under_the_key(store, hours=26) == second.task_id


def test_a_key_claimed_twice_for_one_thing_is_claimed_once(ports: Ports) -> None:
    store = ports.tasks
    for _ in range(2):
        store.claim_key(once(), "upload-1")
    assert made_under_the_key(store) == "upload-1"


def test_a_put_that_follows_made_twice_follows_once(ports: Ports) -> None:
    store = ports.tasks
    failed = store.change(
        (task := running(store)).task_id, fail(task, now=NOON, expires_at=EXPIRY, error=ERROR)
    )
    first, second = make_task(), make_task()
    store.put(first, follows=Follows(task_id=failed.task_id, first=True))
    store.put(second, follows=Follows(task_id=failed.task_id, first=False))
    for task, is_first in ((first, True), (second, False)):
        store.put(task, follows=Follows(task_id=failed.task_id, first=is_first))
        assert store.get(task.task_id) == task
    assert store.get(failed.task_id) == replace(failed, listed_at=None, retried_as=first.task_id)


# --- Items that transactions of others hold -------------------------------------------------------

CANCELLED = {
    "Error": {"Code": "TransactionCanceledException", "Message": ""},
    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
}
CONFLICT = {"Error": {"Code": "TransactionConflictException", "Message": ""}}
IN_PROGRESS = {"Error": {"Code": "TransactionInProgressException", "Message": ""}}


class Held:
    """Answers so many calls of one operation with an error; counts all of them."""

    def __init__(self, clients: Clients | None, operation: str, answer: Any, times: int) -> None:
        assert clients is not None
        self.calls = 0
        self._answer = answer
        self._times = times
        clients.dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", self._refuse)

    def _refuse(self, **_: Any) -> Any:
        self.calls += 1
        if self.calls > self._times:
            return None
        return SimpleNamespace(status_code=400), self._answer | {"ResponseMetadata": {}}


@pytest.fixture(params=["moto", "ministack"])
def adapters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """Return adapters whose pauses between tries take no time."""
    monkeypatch.setattr(contention.random, "uniform", lambda *_: 0)
    implementation: Ports = request.getfixturevalue(f"on_{request.param}")
    return implementation


def put(store: TaskStore) -> Task | None:
    store.put(task := make_task())
    return store.get(task.task_id)


def put_under_key(store: TaskStore) -> Task | None:
    store.put(task := make_task(), once=once())
    return store.get(task.task_id)


def claim_key(store: TaskStore) -> str:
    store.claim_key(once(), "upload-1")
    return made_under_the_key(store)


HELD = [
    pytest.param(put, "PutItem", CONFLICT, id="put"),
    pytest.param(put_under_key, "TransactWriteItems", CANCELLED, id="put under a key"),
    pytest.param(put_under_key, "TransactWriteItems", IN_PROGRESS, id="its own token in progress"),
    pytest.param(claim_key, "PutItem", CONFLICT, id="claim_key"),
    pytest.param(running, "UpdateItem", CONFLICT, id="change"),
]


@pytest.mark.parametrize(("write", "operation", "answer"), HELD)
def test_a_write_that_meets_a_transaction_is_made_again(
    adapters: Ports, write: Callable[[TaskStore], Any], operation: str, answer: Any
) -> None:
    held = Held(adapters.clients, operation, answer, 3)
    assert write(adapters.tasks)
    assert held.calls >= 4


@pytest.mark.parametrize(("write", "operation", "answer"), HELD)
def test_a_write_that_meets_transactions_all_the_while_is_contended(
    adapters: Ports, write: Callable[[TaskStore], Any], operation: str, answer: Any
) -> None:
    held = Held(adapters.clients, operation, answer, 1000)
    with pytest.raises(Contended):
        write(adapters.tasks)
    assert held.calls == 8


def test_another_error_is_not_tried_again(adapters: Ports) -> None:
    answer = {"Error": {"Code": "ValidationException", "Message": ""}}
    held = Held(adapters.clients, "PutItem", answer, 1000)
    assert adapters.clients is not None
    with pytest.raises(adapters.clients.dynamodb.exceptions.ClientError):
        put(adapters.tasks)
    assert held.calls == 1
