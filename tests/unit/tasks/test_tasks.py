from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.ids import TenantId
from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.tasks.actions import AlreadyFinished, InputGone, NoSuchTask, NotFinished, ProcessorGone
from tandem.tasks.store import TaskFilter
from tandem.tasks.task import State, StoredPayload, Task
from tandem.testing import FakeClock, MemoryWiring
from tandem_tools.harness.tasks import ACME
from tests.factories.deliveries import deliver_all
from tests.factories.processors import Number, break_down, double, make_wiring, new_work

TRACE = "00-1"


def submit(wiring: MemoryWiring) -> Task:
    return wiring.submissions.offline(new_work(wiring))


def test_a_queued_task_cancels_at_once_and_never_runs() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    cancelled = wiring.tasks.cancel(ACME, task.task_id)
    assert (cancelled.state, cancelled.attempts) == (State.CANCELLED, 0)
    deliver_all(wiring)
    assert wiring.store.tasks[task.task_id] == cancelled
    assert wiring.queue.messages == {}
    assert wiring.queue.dead_letters == []


def test_a_running_task_stops_at_its_next_question() -> None:
    seen = []

    def work(data: Number, ctx: TaskContext) -> Number:
        (task_id,) = wiring.store.tasks
        ctx.check_cancelled()
        assert wiring.tasks.cancel(ACME, task_id).state is State.RUNNING
        clock = wiring.clock
        assert isinstance(clock, FakeClock)
        clock.advance(1.5)
        seen.append("before")
        ctx.check_cancelled()
        seen.append("after")
        return data

    wiring = make_wiring(work)
    task = submit(wiring)
    deliver_all(wiring)
    stopped = wiring.store.tasks[task.task_id]
    assert seen == ["before"]
    assert (stopped.state, stopped.output, stopped.error) == (State.CANCELLED, None, None)
    assert stopped.history[0].ended_at == stopped.finished_at
    assert wiring.queue.messages == {}


def test_a_running_task_sees_the_wish_to_stop_with_its_progress_too() -> None:
    def work(data: Number, ctx: TaskContext) -> Number:
        (task_id,) = wiring.store.tasks
        wiring.tasks.cancel(ACME, task_id)
        ctx.progress(1)
        ctx.check_cancelled()
        raise AssertionError

    wiring = make_wiring(work)
    task = submit(wiring)
    deliver_all(wiring)
    assert wiring.store.tasks[task.task_id].state is State.CANCELLED


def test_a_task_that_fails_after_it_was_to_stop_is_not_tried_again() -> None:
    def work(data: Number, ctx: TaskContext) -> Number:
        (task_id,) = wiring.store.tasks
        wiring.tasks.cancel(ACME, task_id)
        raise ConnectionError

    wiring = make_wiring(work)
    task = submit(wiring)
    deliver_all(wiring)
    stopped = wiring.store.tasks[task.task_id]
    assert (stopped.state, stopped.attempts) == (State.CANCELLED, 1)
    assert stopped.history[0].error is not None
    assert wiring.queue.messages == {}


def test_a_task_that_finishes_before_it_notices_has_succeeded() -> None:
    def work(data: Number, ctx: TaskContext) -> Number:
        (task_id,) = wiring.store.tasks
        wiring.tasks.cancel(ACME, task_id)
        return data

    wiring = make_wiring(work)
    task = submit(wiring)
    deliver_all(wiring)
    assert wiring.store.tasks[task.task_id].state is State.SUCCEEDED


def test_cancelling_again_changes_nothing_and_a_finished_task_is_never_cancelled() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    first = wiring.tasks.cancel(ACME, task.task_id)
    assert wiring.tasks.cancel(ACME, task.task_id) == first
    done = submit(wiring)
    deliver_all(wiring)
    with pytest.raises(AlreadyFinished):
        wiring.tasks.cancel(ACME, done.task_id)


def test_a_finished_task_is_done_again_as_a_new_one_linked_to_it() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    deliver_all(wiring)
    again = wiring.tasks.again(wiring.store.tasks[task.task_id], traceparent=TRACE)
    assert (again.retry_of, again.state, again.tenant) == (task.task_id, State.QUEUED, ACME)
    deliver_all(wiring)
    first, second = (wiring.store.tasks[one.task_id] for one in (task, again))
    assert first.output == second.output
    assert first.state is second.state is State.SUCCEEDED


def test_what_is_not_finished_or_cannot_run_is_not_done_again() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    with pytest.raises(NotFinished):
        wiring.tasks.again(task, traceparent=TRACE)
    cancelled = wiring.tasks.cancel(ACME, task.task_id)
    wiring.tasks._catalogue = Catalogue([])
    with pytest.raises(ProcessorGone):
        wiring.tasks.again(cancelled, traceparent=TRACE)


def test_a_task_whose_input_has_expired_is_not_done_again() -> None:
    wiring = make_wiring(double)
    stored = replace(submit(wiring), input=StoredPayload("tasks/1/input.json", 300_000))
    wiring.store.tasks[stored.task_id] = stored
    cancelled = wiring.tasks.cancel(ACME, stored.task_id)
    with pytest.raises(InputGone):
        wiring.tasks.again(cancelled, traceparent=TRACE)


def test_another_tenants_or_an_expired_task_is_not_there() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    with pytest.raises(NoSuchTask):
        wiring.tasks.get(TenantId("other"), task.task_id)
    deliver_all(wiring)
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(days=30))
    with pytest.raises(NoSuchTask):
        wiring.tasks.get(ACME, task.task_id)
    assert wiring.tasks.list(ACME, TaskFilter(), limit=5, cursor=None).tasks == []


def test_a_task_that_waits_never_expires() -> None:
    wiring = make_wiring(break_down)
    task = submit(wiring)
    deliver_all(wiring)
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(days=3650))
    assert wiring.tasks.get(ACME, task.task_id).expires_at is None


def test_every_attempt_is_in_the_history_with_its_error() -> None:
    wiring = make_wiring(break_down)
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    task = submit(wiring)
    while wiring.queue.messages:
        deliver_all(wiring)
        clock.advance(20)
    history = wiring.store.tasks[task.task_id].history
    assert len(history) == 3
    for record in history:
        assert record.ended_at is not None
        assert record.error is not None
        assert (record.error.type, record.error.message) == ("ConnectionError", "try later")
