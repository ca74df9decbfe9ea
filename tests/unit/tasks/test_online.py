import asyncio
import json
import time
from datetime import timedelta
from threading import Event

import pytest

from tandem.clock import SystemClock
from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.tasks.online import Answered, Promoted
from tandem.tasks.outcomes import Failed, Succeeded
from tandem.tasks.task import Mode, State
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.processors import (
    Number,
    Stuck,
    break_down,
    double,
    make_processor,
    make_wiring,
    new_work,
    refuse,
)


def process(
    wiring: MemoryWiring, *, budget_seconds: float = 10, value: int = 21
) -> Answered | Promoted:
    new = new_work(wiring, b'{"value":%d}' % value)
    data = Number(value=value)
    return asyncio.run(wiring.online.process(new, data, budget_seconds=budget_seconds))


def test_an_online_task_answers_and_is_recorded() -> None:
    wiring = make_wiring(double)
    answer = process(wiring)
    assert isinstance(answer, Answered)
    assert answer.outcome == Succeeded(b'{"value":42,"text":""}')
    task = wiring.store.get(answer.task.task_id)
    assert task is not None
    assert (task.state, task.mode, task.attempts) == (State.SUCCEEDED, Mode.ONLINE, 1)
    assert wiring.queue.messages == {}


@pytest.mark.parametrize("run", [break_down, refuse])
def test_an_online_task_has_one_attempt(run: object) -> None:
    wiring = make_wiring(run)  # type: ignore[arg-type]
    answer = process(wiring)
    assert isinstance(answer, Answered)
    assert isinstance(answer.outcome, Failed)
    task = wiring.store.get(answer.task.task_id)
    assert task is not None
    assert (task.state, task.attempts) == (State.FAILED, 1)
    assert wiring.queue.messages == {}


def test_a_task_that_outlasts_the_budget_goes_on_offline_and_its_first_run_is_fenced_out() -> None:
    stuck = Stuck()
    wiring = MemoryWiring(clock=SystemClock(), catalogue=Catalogue([make_processor(stuck)]))
    answer = process(wiring, budget_seconds=0.05)
    stuck.let_go.set()
    assert isinstance(answer, Promoted)
    task = wiring.store.get(answer.task.task_id)
    assert task is not None
    assert (task.state, task.mode) == (State.QUEUED, Mode.ONLINE)
    assert task.max_attempts - task.attempts == 3, "the abandoned run costs no attempt"
    (message,) = wiring.queue.messages.values()
    assert json.loads(message.body) == {"task_id": task.task_id}


def test_a_task_that_overruns_its_own_limit_fails() -> None:
    stuck = Stuck()
    work = make_processor(stuck, time_limit=0.05)
    wiring = MemoryWiring(clock=SystemClock(), catalogue=Catalogue([work]))
    answer = process(wiring)
    stuck.let_go.set()
    assert isinstance(answer, Answered)
    assert (answer.task.state, answer.task.error and answer.task.error.type) == (
        State.FAILED,
        "TimedOut",
    )


def test_a_stuck_run_does_not_hold_up_the_next_request() -> None:
    stuck = Stuck()

    def run(data: Number, ctx: TaskContext) -> Number:
        return stuck(data, ctx) if data.value == 0 else data

    catalogue = Catalogue([make_processor(run, time_limit=0.05)])
    wiring = MemoryWiring(clock=SystemClock(), catalogue=catalogue)
    for _ in range(wiring.pool.size + 1):
        process(wiring, value=0)
    answer = process(wiring, value=1)
    stuck.let_go.set()
    assert isinstance(answer, Answered)
    assert answer.task.state is State.SUCCEEDED


def test_a_cooperative_processor_stops_when_the_budget_is_over() -> None:
    stopped = Event()

    def patient(data: Number, ctx: TaskContext) -> Number:
        try:
            while True:
                ctx.check_cancelled()
                time.sleep(0.005)
        finally:
            stopped.set()

    catalogue = Catalogue([make_processor(patient)])
    wiring = MemoryWiring(clock=SystemClock(), catalogue=catalogue)
    assert isinstance(process(wiring, budget_seconds=0.05), Promoted)
    assert stopped.wait(10)


def test_an_async_processor_runs_as_well() -> None:
    async def later(data: Number, ctx: TaskContext) -> Number:
        await asyncio.sleep(0)
        return Number(value=data.value + 1)

    wiring = make_wiring(later)
    answer = process(wiring)
    assert isinstance(answer, Answered)
    assert answer.outcome == Succeeded(b'{"value":22,"text":""}')


def test_an_attempt_whose_lease_was_lost_answers_as_offline() -> None:
    wiring = make_wiring(double)
    clock = wiring.clock
    assert isinstance(clock, FakeClock)

    def overtaken(data: Number, ctx: TaskContext) -> Number:
        time.sleep(0.2)  # the caller has begun to wait
        clock.advance(timedelta(minutes=5))
        wiring.sweep.run()
        task_id = next(iter(wiring.store.tasks))
        wiring.execution.claim(task_id, until=clock.now() + timedelta(minutes=1), alone=True)
        return data

    wiring = make_wiring(overtaken)
    wiring.clock = clock
    answer = process(wiring)
    assert isinstance(answer, Promoted)
    assert (answer.task.state, answer.task.attempts) == (State.RUNNING, 2)
