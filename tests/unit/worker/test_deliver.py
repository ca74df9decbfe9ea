import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.dead_letters.dead_letters import reason_of
from tandem.ids import TaskId
from tandem.messages import SPARE_RECEIVES, Redeliver
from tandem.processing import Permanent, Retry, TaskContext
from tandem.settings import Settings
from tandem.tasks.store import ChangeRefused
from tandem.tasks.task import State, Task
from tandem.tasks.transitions import Change
from tandem.testing import FakeClock, MemoryWiring, Message
from tandem.worker.deliver import read_task_id
from tandem_tools.harness.tasks import make_task, start
from tests.factories.deliveries import deliver, deliver_all, delivery_of
from tests.factories.faults import Fault, FaultyWiring, Kind
from tests.factories.processors import (
    Number,
    Stuck,
    break_down,
    double,
    make_wiring,
    new_work,
    refuse,
)


def submit(wiring: MemoryWiring, document: bytes = b'{"value":21}') -> Task:
    return wiring.submissions.offline(new_work(wiring, document))


def stored(wiring: MemoryWiring, task: Task) -> Task:
    found = wiring.store.get(task.task_id)
    assert found is not None
    return found


def listed(wiring: MemoryWiring) -> list[str]:
    return [task.task_id for task in wiring.store.failed(limit=100).tasks]


def clock(wiring: MemoryWiring) -> FakeClock:
    assert isinstance(wiring.clock, FakeClock)
    return wiring.clock


def test_a_delivered_task_runs_and_keeps_its_output() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    assert deliver_all(wiring) == [True]
    done = stored(wiring, task)
    assert done.state is State.SUCCEEDED
    assert done.output is not None
    assert json.loads(wiring.payloads.read(done.output)) == {"value": 42, "text": ""}
    assert wiring.queue.messages == {}


def test_a_large_input_and_output_take_the_way_through_the_blob_store() -> None:
    def grow(data: Number, ctx: TaskContext) -> Number:
        return Number(text="x" * 300_000)

    wiring = make_wiring(grow)
    padding = b" " * 300_000
    task = submit(wiring, b'{"value":21' + padding + b"}")
    assert deliver_all(wiring) == [True]
    done = stored(wiring, task)
    assert done.output is not None
    assert len(wiring.payloads.read(done.output)) > 300_000


def test_a_duplicate_delivery_runs_the_task_once() -> None:
    runs: list[int] = []

    def count(data: Number, ctx: TaskContext) -> Number:
        runs.append(ctx.attempt)
        return data

    wiring = make_wiring(count)
    task = submit(wiring)
    wiring.dispatch.send(task)
    assert deliver_all(wiring) == [True, True]
    assert runs == [1]
    assert wiring.queue.dead_letters == []


def test_a_duplicate_of_a_running_task_is_dropped() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    now = wiring.clock.now()
    held = wiring.store.change(task.task_id, start(now=now, lease_until=now + timedelta(minutes=1)))
    assert deliver_all(wiring) == [True]
    assert stored(wiring, task) == held


def test_a_failed_attempt_is_tried_again_after_its_backoff() -> None:
    wiring = make_wiring(break_down)
    task = submit(wiring)
    assert deliver_all(wiring) == [False]
    waiting = stored(wiring, task)
    assert waiting.state is State.QUEUED
    assert waiting.error is not None
    assert (waiting.error.type, waiting.error.message) == ("ConnectionError", "try later")
    assert waiting.not_before is not None
    clock(wiring).advance(waiting.not_before - wiring.clock.now())
    assert len(deliver_all(wiring)) == 1
    assert stored(wiring, task).attempts == 2


def test_the_backoff_grows_with_attempts_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    wiring = make_wiring(break_down, retry=Retry(attempts=3, min_backoff_seconds=4))
    task = submit(wiring)
    for _ in range(2):
        wiring.execution.claim(
            task.task_id, until=clock(wiring).now() + timedelta(seconds=60), in_company=True
        )
        clock(wiring).advance(66)
        wiring.sweep.run()
    wiring.queue.messages.clear()
    wiring.dispatch.send(stored(wiring, task))
    deliver_all(wiring)
    waiting = stored(wiring, task)
    assert waiting.not_before is not None
    assert (waiting.attempts, waiting.uncounted) == (3, 2)
    assert waiting.not_before - clock(wiring).now() <= timedelta(seconds=4)


def test_attempts_run_out_with_growing_waits_then_the_task_fails_and_is_listed() -> None:
    wiring = make_wiring(break_down)
    task = submit(wiring)
    acknowledged: list[bool] = []
    while wiring.queue.messages:
        acknowledged += deliver_all(wiring)
        clock(wiring).advance(20)
    assert acknowledged == [False, False, True]
    failed = stored(wiring, task)
    assert (failed.state, failed.attempts) == (State.FAILED, 3)
    assert reason_of(failed) == "attempts-exhausted"
    assert failed.error is not None
    assert (failed.error.message, failed.error.permanent) == ("try later", False)
    assert listed(wiring) == [task.task_id]
    assert wiring.queue.dead_letters == []


def test_a_permanent_error_fails_at_once() -> None:
    wiring = make_wiring(refuse)
    task = submit(wiring)
    assert deliver_all(wiring) == [True]
    failed = stored(wiring, task)
    assert (failed.state, failed.attempts) == (State.FAILED, 1)
    assert reason_of(failed) == "permanent"
    assert failed.error is not None
    assert (failed.error.message, failed.error.callers) == ("no such column", True)
    assert listed(wiring) == [task.task_id]


def test_an_input_that_no_longer_fits_fails_at_once() -> None:
    wiring = make_wiring(double)
    task = submit(wiring, b'{"value":"many"}')
    assert deliver_all(wiring) == [True]
    failed = stored(wiring, task)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.type == "ValidationError"
    assert failed.error.message.startswith("value: ")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '{"task_id": 1}', '{"task_id": "x"}', "[" * 900, "x" * 5000],
)
def test_an_unparsable_message_becomes_a_dead_letter_as_it_was(body: str) -> None:
    wiring = make_wiring(double)
    wiring.queue.send_text(body)
    assert deliver_all(wiring) == [True]
    (letter,) = wiring.queue.dead_letters
    assert (letter.body, letter.attributes["reason"]) == (body, "unparsable")
    assert "task_id" not in letter.attributes


def test_a_message_of_an_unknown_task_becomes_a_dead_letter() -> None:
    wiring = make_wiring(double)
    wiring.dispatch.send(make_task())
    assert deliver_all(wiring) == [True]
    assert wiring.queue.dead_letters[0].attributes["reason"] == "unknown-task"


def test_a_message_that_comes_before_the_backoff_is_over_waits_until_then() -> None:
    wiring = make_wiring(break_down)
    task = submit(wiring)
    deliver_all(wiring)
    waiting = stored(wiring, task)
    assert waiting.not_before is not None
    wiring.dispatch.send(task)
    (early,) = (message for message in wiring.queue.receive() if message.receive_count == 1)
    if waiting.not_before > wiring.clock.now():
        assert not deliver(wiring, early)
        assert wiring.queue.messages[early.message_id].visible_at == waiting.not_before


def test_a_worker_that_died_is_replaced_when_its_lease_is_over() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    (lost,) = wiring.queue.receive()
    until = wiring.clock.now() + timedelta(seconds=100)
    wiring.execution.claim(task.task_id, until=until)
    del lost
    clock(wiring).advance(timedelta(minutes=12))
    assert deliver_all(wiring) == [False], "the crash is recorded, and the message comes at once"
    assert deliver_all(wiring) == [True]
    done = stored(wiring, task)
    assert (done.state, done.attempts) == (State.SUCCEEDED, 2)


def test_a_message_of_a_task_that_an_attempt_holds_is_done_with() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    (first,) = wiring.queue.receive()
    until = wiring.clock.now() + timedelta(seconds=100)
    wiring.execution.claim(task.task_id, until=until)
    wiring.queue.postpone(first.receipt_handle, timedelta(0))
    assert deliver_all(wiring) == [True], "the sweep finds the task if that attempt dies"
    assert stored(wiring, task).attempts == 1


def test_a_task_whose_last_attempt_died_fails_and_says_so() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    for number in range(3):
        if number:
            deliver_all(wiring)
        wiring.queue.receive()
        until = wiring.clock.now() + timedelta(seconds=100)
        wiring.execution.claim(task.task_id, until=until, alone=True)
        clock(wiring).advance(timedelta(minutes=12))
    assert deliver_all(wiring) == [True]
    failed = stored(wiring, task)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.type == "Crashed"
    assert reason_of(failed) == "attempts-exhausted"
    assert listed(wiring) == [task.task_id]


def test_an_attempt_that_lost_its_lease_changes_nothing() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    wiring.queue.receive()
    old = wiring.execution.claim(task.task_id, until=wiring.clock.now() + timedelta(seconds=10))
    clock(wiring).advance(70)
    wiring.recovery.recover(stored(wiring, task))
    wiring.execution.claim(
        task.task_id, until=wiring.clock.now() + timedelta(seconds=10), alone=True
    )
    held = stored(wiring, task)
    with pytest.raises(ChangeRefused):
        wiring.settlement.settle(old, wiring.execution.run(old))
    assert stored(wiring, task) == held
    wiring.deliveries.time_out(old)
    assert stored(wiring, task) == held


def test_a_late_attempt_does_not_overwrite_the_output_of_the_next_one() -> None:
    def tell(data: Number, ctx: TaskContext) -> Number:
        return Number(value=ctx.attempt, text="x" * 300_000)

    wiring = make_wiring(tell)
    task = submit(wiring)
    wiring.queue.receive()
    late = wiring.execution.claim(task.task_id, until=wiring.clock.now() + timedelta(seconds=10))
    clock(wiring).advance(70)
    wiring.recovery.recover(stored(wiring, task))
    assert deliver_all(wiring) == []
    wiring.dispatch.send(task)
    assert deliver_all(wiring) == [True]
    with pytest.raises(ChangeRefused):
        wiring.settlement.settle(late, wiring.execution.run(late))
    done = stored(wiring, task)
    assert done.output is not None
    assert json.loads(wiring.payloads.read(done.output))["value"] == 2


@pytest.mark.parametrize("lost", [0, 1], ids=["claim", "extension"])
@pytest.mark.parametrize("attempts", [1, 2], ids=["failed", "queued"])
def test_an_attempt_starts_nothing_whose_task_moved_on_before_its_write_was_answered(
    lost: int, attempts: int
) -> None:
    runs: list[int] = []

    def note(data: Number, ctx: TaskContext) -> Number:
        runs.append(ctx.attempt)
        return data

    wiring = make_wiring(note, time_limit=90, retry=Retry(attempts=attempts))
    task = submit(wiring)

    def others_go_on() -> None:
        clock(wiring).advance(timedelta(minutes=2))
        wiring.sweep.run()

    fault = Fault(at=lost, kind=Kind.LOST_BETWEEN, between=others_go_on)
    deliver(FaultyWiring(wiring, fault), wiring.queue.receive()[0])
    assert runs == []
    moved = stored(wiring, task)
    assert moved.state is (State.FAILED if attempts == 1 else State.QUEUED)
    deliver_all(wiring)
    assert len(runs) == attempts - 1


@pytest.mark.parametrize("answers", [0, 1], ids=["claim", "extension"])
def test_a_claim_whose_answers_are_all_lost_costs_no_attempt(
    answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiring = make_wiring(double, time_limit=90, retry=Retry(attempts=1))
    task = submit(wiring)
    change, answered = wiring.store.change, iter(range(answers))

    def unanswered(task_id: TaskId, wanted: Change) -> Task:
        changed = change(task_id, wanted)
        if wanted.to is State.RUNNING and next(answered, None) is None:
            raise ConnectionError
        return changed

    monkeypatch.setattr(wiring.store, "change", unanswered)
    with pytest.raises(ConnectionError):
        deliver(wiring, wiring.queue.receive()[0])
    waiting = stored(wiring, task)
    assert (waiting.state, waiting.attempts - waiting.uncounted) == (State.QUEUED, 0)
    monkeypatch.setattr(wiring.store, "change", change)
    clock(wiring).advance(timedelta(minutes=12))
    assert deliver_all(wiring) == [True]
    assert stored(wiring, task).state is State.SUCCEEDED


def test_a_claim_that_was_not_made_takes_no_task_from_who_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    (message,) = wiring.queue.receive()
    until = clock(wiring).now() + timedelta(seconds=100)
    held = wiring.execution.claim(task.task_id, until=until, alone=True)

    def away(*_: Any) -> Task:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(wiring.store, "change", away)
        with pytest.raises(ConnectionError):
            deliver(wiring, message)
    assert stored(wiring, task) == held.task


@pytest.mark.parametrize("late", [0, 1], ids=["claim", "extension"])
def test_a_task_is_not_started_when_its_claim_took_the_time_that_it_may_need(late: int) -> None:
    runs: list[int] = []

    def note(data: Number, ctx: TaskContext) -> Number:
        runs.append(ctx.attempt)
        return data

    wiring = make_wiring(note, time_limit=90, retry=Retry(attempts=1))
    task = submit(wiring)
    fault = Fault(at=late, kind=Kind.LATE, later=lambda: clock(wiring).advance(40))
    assert not deliver(FaultyWiring(wiring, fault), wiring.queue.receive()[0])
    waiting = stored(wiring, task)
    assert (runs, waiting.state, waiting.attempts - waiting.uncounted) == ([], State.QUEUED, 0)
    assert deliver_all(wiring) == [True]
    assert stored(wiring, task).state is State.SUCCEEDED


def test_an_overrun_is_timed_out_and_tried_again() -> None:
    stuck = Stuck()
    wiring = make_wiring(stuck, time_limit=5)
    task = submit(wiring)
    wiring.queue.receive()
    attempt = wiring.execution.claim(
        task.task_id, until=wiring.clock.now() + timedelta(seconds=100)
    )
    attempt.begun = True
    clock(wiring).advance(6)
    with pytest.raises(Redeliver):
        wiring.deliveries.time_out(attempt)
    waiting = stored(wiring, task)
    assert waiting.state is State.QUEUED
    assert waiting.error is not None
    assert waiting.error.type == "TimedOut"
    assert waiting.error.message == "the attempt took longer than its 5 s"


def test_an_overrun_names_the_limit_and_not_when_its_processor_started() -> None:
    wiring = make_wiring(Stuck(), time_limit=5)
    task = submit(wiring)
    wiring.queue.receive()
    change = wiring.store.change

    def change_slowly(task_id: TaskId, asked: Change) -> Task:
        changed = change(task_id, asked)
        clock(wiring).advance(0.1)
        return changed

    wiring.store.change = change_slowly  # type: ignore[method-assign]
    attempt = wiring.execution.claim(
        task.task_id, until=wiring.clock.now() + timedelta(seconds=100)
    )
    attempt.begun = True
    failed = wiring.execution.timed_out(attempt)
    assert failed.error.message == "the attempt took longer than its 5 s"


def test_a_task_waits_for_a_processor_that_is_not_deployed_yet() -> None:
    wiring = make_wiring(double)
    task = make_task(processor="newer")
    wiring.store.put(task)
    wiring.dispatch.send(task)
    for _ in range(5):
        assert deliver_all(wiring) == [False]
        waiting = stored(wiring, task)
        assert waiting.not_before is not None
        clock(wiring).advance(waiting.not_before - wiring.clock.now())
    record = waiting.attempt_records[-1]
    assert record.error is not None
    assert (waiting.state, record.error.type) == (State.QUEUED, "UnknownProcessor")
    wiring.catalogue["newer"] = wiring.catalogue["work"]
    assert deliver_all(wiring) == [True]
    done = stored(wiring, task)
    assert (done.state, done.attempts - done.uncounted) == (State.SUCCEEDED, 1)


def test_a_task_whose_processor_stays_away_for_a_day_fails_and_says_so() -> None:
    wiring = make_wiring(double)
    task = make_task(processor="gone")
    wiring.store.put(task)
    wiring.dispatch.send(task)
    while wiring.queue.messages:
        deliver_all(wiring)
        clock(wiring).advance(timedelta(minutes=10))
    failed = stored(wiring, task)
    assert failed.error is not None
    assert (failed.error.type, failed.error.permanent) == ("UnknownProcessor", True)
    assert failed.own_fault
    assert failed.finished_at is not None
    assert failed.finished_at - failed.created_at > timedelta(hours=24)
    assert len(failed.history) == 20
    assert wiring.queue.dead_letters == []


def received(wiring: MemoryWiring, times: int) -> Message:
    """Let the only message have been received so often, and return it as it is received next."""
    (message,) = wiring.queue.messages.values()
    wiring.queue.messages[message.message_id] = replace(message, receive_count=times)
    (delivered,) = wiring.queue.receive()
    return delivered


def waiting_until_newer_is_there(wiring: MemoryWiring) -> Task:
    """Submit a task whose processor is not deployed yet."""
    task = make_task(processor="newer")
    wiring.store.put(task)
    wiring.dispatch.send(task)
    return task


@pytest.mark.parametrize("max_receives", [3, 10, 50])
def test_a_message_is_replaced_before_the_queue_gives_it_up(max_receives: int) -> None:
    wiring = make_wiring(double, settings=Settings(max_receive_count=max_receives))
    waiting_until_newer_is_there(wiring)
    before = [*wiring.queue.messages]
    for receive in range(1, max_receives - SPARE_RECEIVES):
        assert not deliver(wiring, received(wiring, receive - 1))
        assert [*wiring.queue.messages] == before
        clock(wiring).advance(timedelta(minutes=15))
    assert deliver(wiring, received(wiring, max_receives - SPARE_RECEIVES - 1)), "it is done with"
    (fresh,) = wiring.queue.messages.values()
    assert fresh.message_id not in before
    assert fresh.receive_count == 0


def test_the_new_message_brings_the_next_attempt_when_its_backoff_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Retry, "delay", Retry.ceiling)
    retry = Retry(min_backoff_seconds=600, max_backoff_seconds=600)
    wiring = make_wiring(break_down, retry=retry)
    task = submit(wiring)
    assert deliver(wiring, received(wiring, 8))
    (fresh,) = wiring.queue.messages.values()
    began = clock(wiring).now()
    assert fresh.visible_at - began == timedelta(minutes=10)
    clock(wiring).advance(600)
    assert deliver_all(wiring) == [False]
    assert stored(wiring, task).attempts == 2


def test_nothing_takes_the_place_of_a_message_whose_task_the_sweep_sends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Retry, "delay", Retry.ceiling)
    retry = Retry(min_backoff_seconds=3600, max_backoff_seconds=3600)
    wiring = make_wiring(break_down, retry=retry)
    task = submit(wiring)
    assert deliver(wiring, received(wiring, 8))
    assert wiring.queue.messages == {}
    clock(wiring).advance(3600)
    wiring.sweep.run()
    (fresh,) = wiring.queue.messages.values()
    assert fresh.receive_count == 0
    assert deliver_all(wiring) == [True]
    assert stored(wiring, task).attempts == 2


def test_a_message_that_could_not_be_replaced_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wiring = make_wiring(double)
    waiting_until_newer_is_there(wiring)

    def away(*_: Any) -> list[TaskId]:
        raise ConnectionError

    monkeypatch.setattr(wiring.queue, "send", away)
    message = received(wiring, 8)
    assert not deliver(wiring, message)
    hidden = wiring.queue.messages[message.message_id]
    assert hidden.visible_at < clock(wiring).now() + timedelta(minutes=1)


def test_a_task_runs_once_whose_message_was_replaced_and_came_again() -> None:
    runs: list[int] = []

    def count(data: Number, ctx: TaskContext) -> Number:
        runs.append(ctx.attempt)
        return data

    wiring = make_wiring(count)
    waiting_until_newer_is_there(wiring)
    message = delivery_of(received(wiring, 7))
    with pytest.raises(Redeliver) as again:
        wiring.deliveries.handle(message, until=clock(wiring).now() + timedelta(seconds=100))
    assert wiring.deliveries.redeliver(message, again.value)
    assert len(wiring.queue.messages) == 2, "the process stops before the old one is deleted"
    wiring.catalogue["newer"] = wiring.catalogue["work"]
    clock(wiring).advance(timedelta(minutes=30))
    assert deliver_all(wiring) == [True, True]
    assert runs == [2]


def test_a_message_that_was_never_begun_is_replaced_by_what_the_table_says_of_its_task() -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    seen = Fault()
    deliveries = FaultyWiring(wiring, seen).deliveries
    late = delivery_of(received(wiring, 8))
    early = replace(late, receive_count=7)
    assert not deliveries.redeliver(early, Redeliver(timedelta(0)))
    assert seen.calls == ["inbox.postpone"]
    assert deliveries.redeliver(late, Redeliver(timedelta(0)))
    assert seen.calls[1:] == ["store.get", "queue.send"]
    fresh = [one for one in wiring.queue.messages.values() if not one.receive_count]
    assert [read_task_id(one.body) for one in fresh] == [task.task_id]


@pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED, None])
def test_a_message_of_a_task_that_does_not_wait_is_not_replaced(state: State | None) -> None:
    wiring = make_wiring(double)
    task = submit(wiring)
    delivery = delivery_of(received(wiring, 8))
    wiring.store.tasks[task.task_id] = replace(task, state=state or State.QUEUED)
    if state is None:
        del wiring.store.tasks[task.task_id]
    assert not wiring.deliveries.redeliver(delivery, Redeliver(timedelta(0)))
    assert [one.receive_count for one in wiring.queue.messages.values()] == [9]


def test_a_message_whose_handling_fails_each_time_is_given_up_by_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wiring = make_wiring(double)
    submit(wiring)

    def away(*_: Any) -> Task:
        raise ConnectionError

    monkeypatch.setattr(wiring.store, "change", away)
    for _ in range(10):
        (message,) = wiring.queue.receive()
        with pytest.raises(ConnectionError):
            deliver(wiring, message)
        assert not wiring.deliveries.redeliver(delivery_of(message), Redeliver())
        clock(wiring).advance(timedelta(minutes=15))
    assert wiring.queue.receive() == []
    (letter,) = wiring.dead_letters.peek(10).letters
    assert letter.reason == "unhandled"


def test_a_message_with_more_beside_the_id_is_still_read() -> None:
    task_id = make_task().task_id
    assert read_task_id(json.dumps({"task_id": task_id, "new": 1})) == task_id


@pytest.mark.parametrize("stop", [SystemExit("bye"), asyncio.CancelledError()])
def test_a_processor_that_would_end_the_function_ends_its_attempt_only(stop: BaseException) -> None:
    def leave(data: Number, ctx: TaskContext) -> Number:
        raise stop

    wiring = make_wiring(leave)
    task = submit(wiring)
    deliver_all(wiring)
    after = stored(wiring, task)
    assert (after.state, after.attempts) == (State.QUEUED, 1)
    assert after.error is not None
    assert after.error.type == type(stop).__name__


def test_an_error_with_characters_that_no_store_takes_is_kept_without_them() -> None:
    def refuse_oddly(data: Number, ctx: TaskContext) -> Number:
        ctx.progress(1, 2, "half \ud800")
        raise Permanent("odd: \x00\x1b[31m\udc80\uffff, fine: é😀\n")

    wiring = make_wiring(refuse_oddly)
    task = submit(wiring)
    deliver_all(wiring)
    after = stored(wiring, task)
    assert after.error is not None
    assert after.error.message == "odd: \ufffd\ufffd[31m\ufffd\ufffd, fine: é😀\n"
    [letter] = wiring.dead_letters.peek(10).letters
    assert letter.error == f"Permanent: {after.error.message}"
