"""A neighbour that holds the interpreter, or a service that does not answer, harms no mate."""

import ctypes
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest

from tandem.clock import SystemClock
from tandem.ids import TaskId
from tandem.limits import LEASE_MARGIN, SETTLE_SECONDS
from tandem.processing import Retry, TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.settings import Settings
from tandem.tasks.task import State, Task
from tandem.testing import FakeClock, MemoryWiring
from tandem.worker.batch import ACKNOWLEDGE_EVERY, ELSEWHERE_RECEIVES, LAST_SECOND, LEAST_TIME
from tests.factories.processors import Number, Stuck, make_processor
from tests.unit.worker.test_batch import run, submit, wait_until

ONCE = Retry(attempts=1, crashes=0)


def make(
    work: Callable[[Number, TaskContext], Any],
    *,
    clock: FakeClock | SystemClock | None = None,
    threads: int = 5,
    **options: Any,
) -> MemoryWiring:
    catalogue = Catalogue([make_processor(work, **{"retry": ONCE} | options)])
    settings = Settings(thread_pool_size=threads)
    return MemoryWiring(settings, clock=clock or FakeClock(), catalogue=catalogue)


def state_of(wiring: MemoryWiring, task: Task) -> State:
    return wiring.store.tasks[task.task_id].state


@pytest.fixture
def let_go() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


@pytest.mark.parametrize("limit", [30, 100])
def test_an_attempt_keeps_its_task_while_a_neighbour_holds_the_interpreter(limit: float) -> None:
    clock = FakeClock()
    swept: list[dict[Any, int]] = []

    def hog(data: Number, ctx: TaskContext) -> Number:
        if data.value == 9:
            assert begun.wait(10)
            # Nothing of this process runs meanwhile: neither the mate nor whoever watches over it.
            clock.advance(limit - 1)
            swept.append(dict(wiring.sweep.run()))
            leases.append(wiring.store.tasks[mate.task_id].lease_until)
            held.set()
        else:
            begun.set()
            assert held.wait(10)
        return data

    begun, held = Event(), Event()
    leases: list[datetime | None] = []
    wiring = make(hog, clock=clock, time_limit=limit)
    hogging, mate = submit(wiring, 9), submit(wiring)
    assert run(wiring, seconds=117) == []
    assert swept == [{}]
    assert {state_of(wiring, task) for task in (hogging, mate)} == {State.SUCCEEDED}
    (lease,) = leases
    assert lease is not None
    assert lease - clock.now() > LEASE_MARGIN


def test_a_queue_that_does_not_answer_keeps_nobody_from_watching(
    monkeypatch: pytest.MonkeyPatch, let_go: Event
) -> None:
    clock = FakeClock()
    asked = Event()

    def hang(*handles: str) -> int:
        asked.set()
        let_go.wait(30)
        return len(handles)

    def last_overruns(data: Number, ctx: TaskContext) -> Number:
        if data.value == 9:
            wait_until(lambda: state_of(wiring, quick) is State.SUCCEEDED)
            clock.advance(ACKNOWLEDGE_EVERY)
            assert asked.wait(10)
            clock.advance(30)
            let_go.wait(30)
        return data

    wiring = make(last_overruns, clock=clock, time_limit=20)
    monkeypatch.setattr(wiring.queue, "acknowledge", hang)
    late, quick = submit(wiring, 9), submit(wiring)
    assert run(wiring, seconds=117) == []
    assert not let_go.is_set(), "the queue has not answered"
    task = wiring.store.tasks[late.task_id]
    assert (task.state, task.error and task.error.type) == (State.FAILED, "TimedOut")


def test_a_table_that_does_not_answer_for_one_end_keeps_no_other_from_its_end(
    monkeypatch: pytest.MonkeyPatch, let_go: Event
) -> None:
    def overrun(data: Number, ctx: TaskContext) -> Number:
        let_go.wait(30)
        return data

    wiring = make(overrun, clock=SystemClock(), time_limit=0.3)
    hanging, other = submit(wiring, 1), submit(wiring, 2)
    change = wiring.store.change

    def hang(task_id: Any, wanted: Any) -> Task:
        if task_id == hanging.task_id and wanted.to is State.FAILED:
            let_go.wait(30)
        return change(task_id, wanted)

    monkeypatch.setattr(wiring.store, "change", hang)
    monkeypatch.setattr("tandem.worker.batch.LAST_SECOND", timedelta(0))
    began = wiring.clock.now()
    assert run(wiring, seconds=6) == ["message-1"]
    assert wiring.clock.now() - began < timedelta(seconds=6 + SETTLE_SECONDS)
    assert state_of(wiring, other) is State.FAILED
    assert state_of(wiring, hanging) is State.RUNNING
    assert timedelta(0) < timedelta(seconds=SETTLE_SECONDS) - LAST_SECOND


def test_a_message_that_cannot_be_postponed_comes_again_and_harms_no_mate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise ConnectionError

    def fail(data: Number, ctx: TaskContext) -> Number:
        if data.value == 1:
            raise ConnectionError
        return data

    wiring = make(fail, retry=Retry(attempts=2))
    monkeypatch.setattr(wiring.queue, "postpone", refuse)
    failing, mate = submit(wiring, 1), submit(wiring)
    assert run(wiring) == ["message-1"]
    assert state_of(wiring, failing) is State.QUEUED
    assert state_of(wiring, mate) is State.SUCCEEDED
    sent = [message for message in wiring.queue.messages.values() if not message.receive_count]
    assert len(sent) == 1, "a message of its own brings it back in time"


def test_a_message_whose_queue_hangs_while_it_is_hidden_comes_again(
    monkeypatch: pytest.MonkeyPatch, let_go: Event
) -> None:
    def fail(data: Number, ctx: TaskContext) -> Number:
        raise ConnectionError

    wiring = make(fail, clock=SystemClock(), retry=Retry(attempts=2))
    monkeypatch.setattr(wiring.queue, "postpone", lambda *_: let_go.wait(30))
    failing = submit(wiring)
    assert run(wiring, seconds=6) == ["message-1"]
    assert state_of(wiring, failing) is State.QUEUED


def test_a_message_whose_queue_hangs_while_it_is_replaced_comes_again(
    monkeypatch: pytest.MonkeyPatch, let_go: Event
) -> None:
    def fail(data: Number, ctx: TaskContext) -> Number:
        raise ConnectionError

    wiring = make(fail, clock=SystemClock(), retry=Retry(attempts=2))
    failing = submit(wiring)
    (message,) = wiring.queue.messages.values()
    wiring.queue.messages[message.message_id] = replace(message, receive_count=7)
    monkeypatch.setattr(wiring.queue, "send", lambda *_: let_go.wait(30) and [])
    assert run(wiring, seconds=6) == ["message-1"]
    assert state_of(wiring, failing) is State.QUEUED


@pytest.mark.parametrize("what", ["progress", "cancel"])
def test_a_table_that_fails_for_progress_or_a_look_fails_no_attempt(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()

    def work(data: Number, ctx: TaskContext) -> Number:
        if what == "progress":
            ctx.progress(1)
        else:
            clock.advance(2)
            ctx.check_cancelled()
        return data

    wiring = make(work, clock=clock)
    task = submit(wiring)
    change = wiring.store.change

    def throttled(task_id: Any, wanted: Any) -> Task:
        if wanted.sets.get("progress") is not None:
            raise ConnectionError
        return change(task_id, wanted)

    def refuse(_task_id: Any) -> Task:
        raise ConnectionError

    monkeypatch.setattr(wiring.store, "change", throttled)
    monkeypatch.setattr(wiring.store, "get", refuse)
    assert run(wiring) == []
    assert state_of(wiring, task) is State.SUCCEEDED


def test_a_stuck_thread_does_not_stay_in_the_workers_pool() -> None:
    stuck = Stuck()

    def first_hangs(data: Number, ctx: TaskContext) -> Number:
        return stuck(data, ctx) if data.value == 9 else data

    wiring = make(first_hangs, clock=SystemClock(), threads=1, time_limit=0.2)
    submit(wiring, 9)
    run(wiring)
    good = submit(wiring)
    later = Thread(target=run, args=(wiring,), kwargs={"seconds": 6})
    later.start()
    wait_until(lambda: state_of(wiring, good) is State.SUCCEEDED)
    ended = state_of(wiring, good)
    stuck.let_go.set()
    later.join()
    assert ended is State.SUCCEEDED
    assert wiring.store.tasks[good.task_id].in_company, "the thread of the first may end it"


def mark(wiring: MemoryWiring, task: Task, *, crashes: int) -> Task:
    """Let a task run alone from now on, after so many crashes."""
    wiring.store.tasks[task.task_id] = replace(task, alone=True, crashes=crashes)
    return task


def test_what_waits_behind_a_task_that_runs_alone_comes_soon_if_that_ends_the_process() -> None:
    hidden_for: list[timedelta] = []

    def look(data: Number, ctx: TaskContext) -> Number:
        hidden_for.extend(
            message.visible_at - clock.now()
            for message in wiring.queue.messages.values()
            if wiring.store.tasks[TaskId(json.loads(message.body)["task_id"])].state is State.QUEUED
        )
        clock.advance(15)
        return data

    clock = FakeClock()
    wiring = make(look, clock=clock, time_limit=20)
    for _ in range(3):
        mark(wiring, submit(wiring), crashes=2)
    assert run(wiring, seconds=117) == []
    assert hidden_for == [timedelta(seconds=20) + LEAST_TIME] * (2 + 1)


def test_tasks_that_ended_few_processes_run_before_those_that_ended_more() -> None:
    order: list[int] = []

    def note(data: Number, ctx: TaskContext) -> Number:
        order.append(data.value)
        return data

    wiring = make(note, clock=FakeClock())
    for crashes in (4, 2, 5, 3):
        mark(wiring, submit(wiring, crashes), crashes=crashes)
    assert run(wiring) == []
    assert order == [2, 3, 4, 5]


def test_a_queue_that_does_not_answer_holds_up_no_batch_with_tasks_that_run_alone(
    monkeypatch: pytest.MonkeyPatch, let_go: Event
) -> None:
    wiring = make(lambda data, ctx: data, clock=SystemClock(), time_limit=60)
    for _ in range(2):
        mark(wiring, submit(wiring), crashes=2)
    monkeypatch.setattr(wiring.queue, "postpone", lambda *_: let_go.wait(30))
    monkeypatch.setattr("tandem.worker.batch.FRESH", timedelta(0))
    began = wiring.clock.now()
    assert run(wiring, seconds=6) == ["message-1", "message-2"]
    assert wiring.clock.now() - began < timedelta(seconds=6 + SETTLE_SECONDS)


def test_a_task_that_runs_alone_avoids_what_was_left_behind_for_some_deliveries(
    let_go: Event,
) -> None:
    clock = FakeClock()
    wiring = make(lambda data, ctx: data, clock=clock)
    stuck = wiring.pool.submit(lambda: let_go.wait(30))
    wait_until(stuck.running)
    wiring.pool.replace()
    task = mark(wiring, submit(wiring), crashes=2)
    for _ in range(ELSEWHERE_RECEIVES):
        assert run(wiring) == ["message-1"]
        assert (state_of(wiring, task), wiring.store.tasks[task.task_id].attempts) == (
            State.QUEUED,
            0,
        )
        clock.advance(60)
    assert run(wiring) == []
    assert state_of(wiring, task) is State.SUCCEEDED


def test_a_task_that_runs_alone_starts_when_nothing_is_left_behind_any_more(let_go: Event) -> None:
    clock = FakeClock()
    wiring = make(lambda data, ctx: data, clock=clock)
    stuck = wiring.pool.submit(lambda: let_go.wait(30))
    wait_until(stuck.running)
    wiring.pool.replace()
    task = mark(wiring, submit(wiring), crashes=2)
    assert run(wiring) == ["message-1"]
    let_go.set()
    wait_until(lambda: not wiring.pool.left_behind)
    clock.advance(60)
    assert run(wiring) == []
    assert state_of(wiring, task) is State.SUCCEEDED


def hold_the_interpreter(seconds: float) -> None:
    """Do as a library that does not release the interpreter's lock."""
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


def test_an_attempt_whose_time_a_neighbour_took_costs_nothing_until_both_run_alone() -> None:
    def work(data: Number, ctx: TaskContext) -> Number:
        if data.value == 9:
            assert begun.wait(10)
            holding.set()
            hold_the_interpreter(2)
        begun.set()
        assert holding.wait(10)
        sleep(0.05)
        ctx.check_cancelled()
        return data

    begun, holding = Event(), Event()
    wiring = make(work, clock=SystemClock(), retry=Retry(attempts=1), time_limit=1)
    hog, mate = submit(wiring, 9), submit(wiring)
    seen = []
    for _ in range(2):
        begun.clear()
        holding.clear()
        run(wiring)
        task = wiring.store.tasks[mate.task_id]
        seen.append((task.state, task.attempts - task.uncounted, task.crashes, task.alone))
        for message in wiring.queue.messages.values():
            wiring.queue.postpone(message.receipt_handle, timedelta(0))
    for _ in range(2):
        run(wiring)
    assert seen == [(State.QUEUED, 0, 1, False), (State.QUEUED, 0, 2, True)]
    assert state_of(wiring, mate) is State.SUCCEEDED
    ended = wiring.store.tasks[hog.task_id]
    assert (ended.state, ended.error and ended.error.type) == (State.FAILED, "TimedOut")


def test_who_overruns_in_a_process_that_goes_on_is_not_taken_for_crowded_out(
    let_go: Event,
) -> None:
    def overrun(data: Number, ctx: TaskContext) -> Number:
        let_go.wait(30)
        return data

    wiring = make(overrun, clock=SystemClock(), retry=Retry(attempts=1), time_limit=0.5)
    tasks = [submit(wiring), submit(wiring)]
    run(wiring)
    assert [state_of(wiring, task) for task in tasks] == [State.FAILED] * 2
