"""A task that must run alone does so soon, however busy the queue is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event, Lock, Thread
from typing import Any

import pytest

from tandem.clock import SystemClock
from tandem.ids import TaskId
from tandem.lambda_events import sqs_record
from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.tasks.task import State, Task
from tandem.tasks.transitions import Change
from tandem.testing import FakeClock, MemoryWiring, Message
from tandem.worker.batch import FIRST_RECEIVES, run_batch
from tandem.worker.deliver import read_task_id
from tests.factories.environments import Account
from tests.factories.neighbours import neighbours
from tests.factories.neighbours import submit as submit_to
from tests.factories.processors import Number, make_processor
from tests.unit.worker.test_batch import run, submit, wait_until

MATE, ALONE = 0, 9
LONG = timedelta(seconds=59)
"""Nearly the time limit: two of them do not fit into the worker's time."""
WORKER_TIME = timedelta(seconds=117)


class Rush:
    """A worker whose every batch is full: new tasks of a minute come all the time.

    Tasks of a batch run side by side: the clock goes on by as long as the longest of them takes.
    """

    def __init__(self, *, batch: int = 5) -> None:
        self.clock = FakeClock()
        self.receives: Counter[TaskId] = Counter()
        self._batch = batch
        self._began = self.clock.now()
        self._mates: set[TaskId] = set()
        self._lock = Lock()
        catalogue = Catalogue([make_processor(self._work, time_limit=60)])
        self.wiring = MemoryWiring(clock=self.clock, catalogue=catalogue)

    def _work(self, data: Number, ctx: TaskContext) -> Number:
        if data.value == ALONE:
            self.clock.advance(LONG)
            return data
        with self._lock:
            self._mates.discard(ctx.task_id)
        wait_until(lambda: not self._mates)
        with self._lock:
            self.clock.advance(max(self._began + LONG - self.clock.now(), timedelta(0)))
        return data

    def alone(self) -> Task:
        """Submit a task that must run alone: it ended its process twice."""
        task = submit(self.wiring, ALONE)
        self.wiring.store.tasks[task.task_id] = replace(task, alone=True, crashes=2)
        return task

    def batch(self) -> None:
        """Fill the queue, and run a batch of its oldest messages."""
        while len(self._visible()) < self._batch:
            submit(self.wiring, MATE)
        others = self._visible()[self._batch :]
        for message in others:
            self.wiring.queue.messages[message.message_id] = replace(
                message, visible_at=self.clock.now() + timedelta(milliseconds=1)
            )
        received = self.wiring.queue.receive()
        tasks = [task_id for one in received if (task_id := read_task_id(one.body))]
        self.receives.update(tasks)
        self._mates = {one for one in tasks if not self.wiring.store.tasks[one].alone}
        self._began = self.clock.now()
        records = [
            sqs_record(one.body, message_id=one.message_id, receive_count=one.receive_count)
            for one in received
        ]
        until = self.clock.now() + WORKER_TIME
        answer = run_batch({"Records": records}, self.wiring, until=until)
        again = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        for message in received:
            if message.message_id not in again:
                self.wiring.queue.delete(message)
        self.clock.advance(1)

    def _visible(self) -> list[Message]:
        now = self.clock.now()
        visible = [one for one in self.wiring.queue.messages.values() if one.visible_at <= now]
        return sorted(visible, key=lambda message: message.visible_at)


@pytest.mark.parametrize("batch", [2, 5])
def test_a_task_that_runs_alone_starts_by_its_third_delivery_under_constant_load(
    batch: int,
) -> None:
    rush = Rush(batch=batch)
    task = rush.alone()
    for _ in range(20):
        rush.batch()
    ended = rush.wiring.store.tasks[task.task_id]
    assert (ended.state, ended.attempts, ended.in_company) == (State.SUCCEEDED, 1, False)
    assert rush.receives[task.task_id] == FIRST_RECEIVES
    assert rush.wiring.queue.dead_letters == []


def test_many_tasks_that_run_alone_all_end_and_hold_up_nobody_for_good() -> None:
    rush = Rush()
    tasks = [rush.alone() for _ in range(12)]
    for _ in range(60):
        rush.batch()
    assert {state_of(rush.wiring, task) for task in tasks} == {State.SUCCEEDED}
    assert max(rush.receives.values()) <= 8
    assert rush.wiring.queue.dead_letters == []
    mates = [one for one in rush.wiring.store.tasks.values() if not one.alone]
    assert all(one.attempts == 1 for one in mates if one.state.final)
    assert sum(one.state.final for one in mates) > 60


def make(run: Callable[[Number, TaskContext], Any], **options: Any) -> MemoryWiring:
    catalogue = Catalogue([make_processor(run, **options)])
    return MemoryWiring(clock=SystemClock(), catalogue=catalogue)


def received_twice(wiring: MemoryWiring, task: Task) -> Task:
    """Let a task's message have come back twice before."""
    for message in wiring.queue.messages.values():
        if task.task_id in message.body:
            wiring.queue.messages[message.message_id] = replace(message, receive_count=2)
    return task


def marked(wiring: MemoryWiring, task: Task) -> Task:
    """Let a task run alone from now on."""
    wiring.store.tasks[task.task_id] = replace(task, alone=True, crashes=2)
    return task


def state_of(wiring: MemoryWiring, task: Task) -> State:
    return wiring.store.tasks[task.task_id].state


def test_a_retried_task_that_need_not_run_alone_runs_beside_its_mates() -> None:
    together = Barrier(4, timeout=10)

    def meet(data: Number, ctx: TaskContext) -> Number:
        together.wait()
        return data

    wiring = make(meet)
    mates = [submit(wiring) for _ in range(3)]
    retried = received_twice(wiring, submit(wiring))
    assert run(wiring) == []
    assert {state_of(wiring, task) for task in (*mates, retried)} == {State.SUCCEEDED}


def test_a_table_that_hangs_over_the_oldest_claim_keeps_its_mates_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = Event()
    wiring = make(lambda data, ctx: data)
    hanging = received_twice(wiring, submit(wiring))
    mate = submit(wiring)
    change = wiring.store.change

    def hang(task_id: TaskId, wanted: Change) -> Task:
        if task_id == hanging.task_id:
            assert let_go.wait(30)
        return change(task_id, wanted)

    monkeypatch.setattr(wiring.store, "change", hang)
    batch = Thread(target=run, args=(wiring,))
    batch.start()
    wait_until(lambda: state_of(wiring, mate) is State.SUCCEEDED)
    ended_meanwhile = state_of(wiring, hanging) is State.QUEUED
    let_go.set()
    batch.join(30)
    assert ended_meanwhile
    assert state_of(wiring, mate) is State.SUCCEEDED
    assert state_of(wiring, hanging) is State.SUCCEEDED


def test_an_oldest_message_whose_task_is_gone_holds_up_nobody() -> None:
    wiring = make(lambda data, ctx: data)
    gone = received_twice(wiring, submit(wiring))
    mate = submit(wiring)
    del wiring.store.tasks[gone.task_id]
    began = wiring.clock.now()
    assert run(wiring) == []
    assert state_of(wiring, mate) is State.SUCCEEDED
    assert wiring.clock.now() - began < timedelta(seconds=1)


def test_what_goes_back_for_a_task_that_runs_alone_first_is_there_at_once_and_costs_nothing() -> (
    None
):
    def look(data: Number, ctx: TaskContext) -> Number:
        now = wiring.clock.now()
        visible.extend(
            message.message_id
            for message in wiring.queue.messages.values()
            if message.visible_at <= now
        )
        return data

    visible: list[str] = []
    wiring = make(look)
    mates = [submit(wiring) for _ in range(2)]
    first = received_twice(wiring, marked(wiring, submit(wiring)))
    also_alone = marked(wiring, submit(wiring))
    assert run(wiring) == ["message-1", "message-2", "message-4"]
    assert visible == ["message-1", "message-2", "message-4"]
    assert state_of(wiring, first) is State.SUCCEEDED
    waiting = [wiring.store.tasks[task.task_id] for task in (*mates, also_alone)]
    assert {(task.state, task.attempts) for task in waiting} == {(State.QUEUED, 0)}


def test_beside_a_thread_that_was_left_behind_mates_run_and_the_task_goes_elsewhere() -> None:
    let_go = Event()
    wiring = make(lambda data, ctx: data)
    stuck = wiring.pool.submit(lambda: let_go.wait(30))
    wait_until(stuck.running)
    wiring.pool.replace()
    first = received_twice(wiring, marked(wiring, submit(wiring)))
    mate = submit(wiring)
    assert run(wiring) == ["message-1"]
    let_go.set()
    assert state_of(wiring, mate) is State.SUCCEEDED
    assert state_of(wiring, first) is State.QUEUED


def test_a_task_that_runs_alone_first_and_ends_its_process_takes_no_mate_along(
    tmp_path: Path,
) -> None:
    account = Account(neighbours, tmp_path)
    exits = submit_to(account.wiring, "exits")
    received_twice(account.wiring, marked(account.wiring, exits))
    mates = [submit_to(account.wiring, "healthy") for _ in range(2)]
    account.minute()
    assert account.died == 1
    assert not account.wiring.store.tasks[exits.task_id].in_company
    account.minute()
    assert {state_of(account.wiring, mate) for mate in mates} == {State.SUCCEEDED}
