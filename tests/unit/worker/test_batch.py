import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from threading import Barrier, Event
from time import monotonic, sleep
from typing import Any

import pytest

from tandem.clock import SystemClock
from tandem.lambda_events import sqs_record
from tandem.processing import Permanent, TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.processing.surroundings import Surroundings
from tandem.settings import Settings
from tandem.tasks.task import State, Task
from tandem.testing import FakeClock, MemoryQueue, MemoryWiring
from tandem.worker.batch import ACKNOWLEDGE_EVERY, run_batch
from tests.factories.processors import Number, Stuck, make_processor, new_work


def make(run: Any, **options: Any) -> MemoryWiring:
    catalogue = Catalogue([make_processor(run, **options)])
    return MemoryWiring(clock=SystemClock(), catalogue=catalogue)


def submit(wiring: MemoryWiring, value: int = 0) -> Task:
    document = json.dumps({"value": value}).encode()
    return wiring.submissions.offline(new_work(wiring, document))


def run(wiring: MemoryWiring, *, seconds: float = 60) -> list[str]:
    """Run all visible messages as one batch; return the ids of those to be delivered again."""
    records = [
        sqs_record(message.body, message_id=message.message_id, receive_count=message.receive_count)
        for message in wiring.queue.receive()
    ]
    until = wiring.clock.now() + timedelta(seconds=seconds)
    answer = run_batch({"Records": records}, wiring, until=until)
    return sorted(item["itemIdentifier"] for item in answer["batchItemFailures"])


def by_value(data: Number, ctx: TaskContext) -> Number:
    if data.value == 1:
        raise ConnectionError
    if data.value == 2:
        raise Permanent("no")
    return data


def test_one_bad_message_does_not_bring_back_its_batch() -> None:
    wiring = make(by_value)
    good, failing, refused = (submit(wiring, value) for value in range(3))
    wiring.queue.send_text("unparsable")
    assert run(wiring) == ["message-2"]
    states = [wiring.store.tasks[task.task_id].state for task in (good, failing, refused)]
    assert states == [State.SUCCEEDED, State.QUEUED, State.FAILED]
    reasons = [letter.attributes["reason"] for letter in wiring.queue.dead_letters]
    assert reasons == ["unparsable"]
    assert [task.task_id for task in wiring.store.failed(limit=9).tasks] == [refused.task_id]


def test_a_batch_in_which_everything_must_come_again_is_no_error() -> None:
    wiring = make(by_value)
    submit(wiring, 1)
    submit(wiring, 1)
    assert run(wiring) == ["message-1", "message-2"]


def test_the_records_of_a_batch_run_side_by_side() -> None:
    together = Barrier(4, timeout=10)

    def meet(data: Number, ctx: TaskContext) -> Number:
        together.wait()
        return data

    wiring = make(meet)
    for _ in range(4):
        submit(wiring)
    assert run(wiring) == []


def test_the_same_message_twice_in_one_batch_runs_the_task_once() -> None:
    runs: list[int] = []

    def count(data: Number, ctx: TaskContext) -> Number:
        runs.append(ctx.attempt)
        return data

    wiring = make(count)
    task = submit(wiring)
    for _ in range(4):
        wiring.dispatch.send(task)
    assert run(wiring) == []
    assert runs == [1]


def test_with_too_little_time_left_messages_go_back_and_cost_no_attempt() -> None:
    wiring = make(by_value)
    task = submit(wiring)
    assert run(wiring, seconds=4) == ["message-1"]
    assert wiring.store.tasks[task.task_id] == task


def test_a_processor_that_overruns_its_limit_is_timed_out_and_the_rest_goes_on() -> None:
    stuck = Stuck()

    def first_hangs(data: Number, ctx: TaskContext) -> Number:
        return stuck(data, ctx) if data.value == 9 else data

    wiring = make(first_hangs, time_limit=0.2)
    hung, good = submit(wiring, 9), submit(wiring)
    assert run(wiring) == ["message-1"]
    stuck.let_go.set()
    assert wiring.store.tasks[good.task_id].state is State.SUCCEEDED
    waiting = wiring.store.tasks[hung.task_id]
    assert (waiting.state, waiting.error and waiting.error.type) == (State.QUEUED, "TimedOut")


def test_messages_that_no_thread_could_take_in_time_go_back() -> None:
    stuck = Stuck()
    wiring = make(stuck, time_limit=60)
    tasks = [submit(wiring) for _ in range(wiring.pool.size + 2)]
    failed = run(wiring, seconds=5.4)
    stuck.let_go.set()
    assert len(failed) == len(tasks)
    attempts = sorted(wiring.store.tasks[task.task_id].attempts for task in tasks)
    assert attempts == [0, 0] + [1] * wiring.pool.size


def test_a_failing_store_brings_the_message_back(monkeypatch: pytest.MonkeyPatch) -> None:
    wiring = make(by_value)
    submit(wiring)

    def broken(*_: Any) -> Task:
        raise OSError("store is down")

    monkeypatch.setattr(wiring.store, "change", broken)
    assert run(wiring) == ["message-1"]


def test_neither_input_nor_error_text_reaches_the_log(log: StringIO) -> None:
    def leak(data: Number, ctx: TaskContext) -> Number:
        raise ValueError(f"bad {data.text}")

    wiring = make(leak)
    wiring.submissions.offline(new_work(wiring, b'{"text":"SECRET-INPUT"}'))
    run(wiring)
    assert "attempt failed" in log.getvalue()
    assert "SECRET-INPUT" not in log.getvalue()


def test_every_line_of_a_message_carries_its_trace_and_task(log: StringIO) -> None:
    wiring = make(by_value)
    task = submit(wiring, 1)
    (message,) = wiring.queue.receive()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    record = sqs_record(message.body, message_id=message.message_id, traceparent=trace)
    until = wiring.clock.now() + timedelta(minutes=1)
    run_batch({"Records": [record]}, wiring, until=until)
    lines = [json.loads(text) for text in log.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["attempt failed", "attempt ended"]
    for line in lines:
        assert line["correlation_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert (line["task_id"], line["message_id"]) == (task.task_id, "message-1")


def test_a_message_taken_late_is_handed_back_when_its_task_may_need_more_time() -> None:
    clock = FakeClock()
    threads = 1

    def slow(data: Number, ctx: TaskContext) -> Number:
        clock.advance(50)
        return data

    wiring = MemoryWiring(
        Settings(thread_pool_size=threads),
        clock=clock,
        catalogue=Catalogue([make_processor(slow, time_limit=60)]),
    )
    first, second = submit(wiring), submit(wiring)
    assert run(wiring, seconds=100) == ["message-2"]
    assert wiring.store.tasks[first.task_id].state is State.SUCCEEDED
    waiting = wiring.store.tasks[second.task_id]
    assert (waiting.state, waiting.max_attempts - waiting.attempts) == (State.QUEUED, 3)


def test_each_of_two_messages_at_once_has_its_own_names_on_its_lines(log: StringIO) -> None:
    both_run = Barrier(2)

    def together(data: Number, ctx: TaskContext) -> Number:
        both_run.wait(10)
        if data.value == 1:
            wait_until(lambda: tasks[0].task_id in log.getvalue())
        return data

    wiring = make(together)
    tasks = [submit(wiring, value) for value in range(2)]
    assert run(wiring) == []
    lines = [json.loads(text) for text in log.getvalue().splitlines()]
    named = {line["task_id"]: line.get("message_id") for line in lines}
    assert named == {tasks[0].task_id: "message-1", tasks[1].task_id: "message-2"}


def test_the_end_of_an_attempt_out_of_time_has_the_names_of_its_message(log: StringIO) -> None:
    stuck = Stuck()
    wiring = make(stuck, time_limit=0.3)
    submit(wiring)
    assert run(wiring) == ["message-1"]
    stuck.let_go.set()
    (line,) = [json.loads(text) for text in log.getvalue().splitlines()]
    assert (line["message"], line["message_id"]) == ("attempt ended", "message-1")


def test_what_has_ended_is_acknowledged_while_the_rest_of_its_batch_goes_on() -> None:
    clock = FakeClock()

    def last_waits(data: Number, ctx: TaskContext) -> Number:
        if data.value == 9:
            wait_until(lambda: all(task.state.final for task in quick_ones()))
            clock.advance(ACKNOWLEDGE_EVERY)
            wait_until(lambda: len(wiring.queue.messages) == 1)
            left.append([*wiring.queue.messages])
        return data

    def quick_ones() -> list[Task]:
        return [wiring.store.tasks[task.task_id] for task in quick]

    left: list[list[str]] = []
    wiring = MemoryWiring(clock=clock, catalogue=Catalogue([make_processor(last_waits)]))
    submit(wiring, 9)
    quick = [submit(wiring, value) for value in range(4)]
    assert run(wiring) == []
    assert left == [["message-1"]]


def test_a_task_runs_alone_when_its_mates_are_recorded_and_their_messages_gone() -> None:
    seen: list[tuple[list[str], set[State]]] = []

    def look_around(data: Number, ctx: TaskContext) -> Number:
        if data.value == 9:
            states = {wiring.store.tasks[mate.task_id].state for mate in mates}
            seen.append(([*wiring.queue.messages], states))
        return data

    wiring = make(look_around)
    marked = submit(wiring, 9)
    wiring.store.tasks[marked.task_id] = replace(marked, alone=True, crashes=2)
    mates = [submit(wiring, value) for value in range(3)]
    assert run(wiring) == []
    assert seen == [(["message-1"], {State.SUCCEEDED})]
    assert not wiring.store.tasks[marked.task_id].in_company


def test_a_message_that_was_received_too_often_is_replaced_and_does_not_come_again() -> None:
    wiring = make(by_value)
    failing = submit(wiring, 1)
    (old,) = wiring.queue.messages.values()
    wiring.queue.messages[old.message_id] = replace(old, receive_count=7)
    mate = submit(wiring)
    assert run(wiring) == []
    assert wiring.store.tasks[failing.task_id].state is State.QUEUED
    assert wiring.store.tasks[mate.task_id].state is State.SUCCEEDED
    fresh = [one for one in wiring.queue.messages.values() if not one.receive_count]
    assert [failing.task_id in one.body for one in fresh] == [True]


def test_a_batch_that_is_soon_done_acknowledges_nothing_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wiring = make(by_value)
    for _ in range(10):
        submit(wiring)
    monkeypatch.delattr(MemoryQueue, "acknowledge")
    assert run(wiring) == []


def test_what_cannot_be_acknowledged_early_is_acknowledged_by_the_answer(
    monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    clock = FakeClock()
    asked = Event()

    def refuse(*_: str) -> int:
        asked.set()
        raise OSError("queue is down")

    def last_waits(data: Number, ctx: TaskContext) -> Number:
        if data.value == 9:
            wait_until(lambda: wiring.store.tasks[quick.task_id].state.final)
            clock.advance(ACKNOWLEDGE_EVERY)
            assert asked.wait(10)
        return data

    wiring = MemoryWiring(clock=clock, catalogue=Catalogue([make_processor(last_waits)]))
    monkeypatch.setattr(wiring.queue, "acknowledge", refuse)
    submit(wiring, 9)
    quick = submit(wiring)
    assert run(wiring) == []
    wait_until(lambda: "not acknowledged" in log.getvalue())  # by a thread beside the batch
    lines = [json.loads(text) for text in log.getvalue().splitlines()]
    refused = next(line for line in lines if line["message"] == "not acknowledged")
    assert (refused["messages"], refused["error_type"]) == (1, "OSError")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = monotonic() + 10
    while not true() and monotonic() < deadline:
        sleep(0.01)


def test_the_threads_of_a_first_batch_share_the_parts_of_the_wiring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Surroundings] = []
    build = Surroundings.__init__

    def slowly(self: Surroundings, *loggers: str) -> None:
        sleep(0.05)
        build(self, *loggers)
        made.append(self)

    monkeypatch.setattr(Surroundings, "__init__", slowly)
    wiring = make(by_value)
    for _ in range(5):
        submit(wiring)
    assert run(wiring) == []
    assert len(made) == 1
