from collections import Counter
from datetime import timedelta

import pytest

from tandem.domain.ids import TaskId
from tandem.domain.task import State, Task
from tandem.domain.transitions import request_cancel
from tandem.limits import DUE_MARGIN, SWEEP_TASKS
from tandem.services.sweep import Found
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.processors import double, make_wiring, new_work
from tests.factories.tasks import make_task


class World:
    def __init__(self) -> None:
        self.wiring: MemoryWiring = make_wiring(double)
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock

    def submit(self) -> Task:
        return self.wiring.submissions.offline(new_work(self.wiring))

    def claim(self, task: Task) -> None:
        until = self.clock.now() + timedelta(seconds=60)
        self.wiring.execution.claim(task.task_id, until=until)

    def sweep(self) -> dict[Found, int]:
        return dict(self.wiring.sweep.run())

    def task(self, task: Task) -> Task:
        return self.wiring.store.tasks[task.task_id]


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_not_overdue_is_left_alone(world: World) -> None:
    task = world.submit()
    world.clock.advance(DUE_MARGIN - timedelta(seconds=1))
    assert world.sweep() == {}
    assert world.task(task) == task


def test_a_task_whose_message_is_gone_is_sent_again(world: World) -> None:
    task = world.submit()
    world.wiring.queue.messages.clear()
    world.clock.advance(DUE_MARGIN)
    assert world.sweep() == {Found.SENT_AGAIN: 1}
    (message,) = world.wiring.queue.messages.values()
    assert task.task_id in message.body
    assert message.attributes["traceparent"] == task.traceparent
    assert world.sweep() == {}


def test_a_deep_backlog_is_not_flooded_the_due_time_doubles(world: World) -> None:
    task = world.submit()
    waits = []
    for _ in range(9):
        due_at = world.task(task).due_at
        assert due_at is not None
        world.clock.advance(due_at - world.clock.now())
        before = world.clock.now()
        world.sweep()
        due_at = world.task(task).due_at
        assert due_at is not None
        waits.append((due_at - before) / DUE_MARGIN)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert world.task(task).sweeps == 9


def test_a_task_whose_worker_died_is_queued_again_and_says_so(world: World) -> None:
    task = world.submit()
    world.claim(task)
    world.clock.advance(31)
    assert world.sweep() == {Found.RECLAIMED: 1}
    queued = world.task(task)
    assert queued.error is not None
    assert (queued.state, queued.error.type) == (State.QUEUED, "Crashed")
    assert len(world.wiring.queue.messages) == 2


def test_a_task_whose_last_attempt_died_fails_and_is_dead_lettered(world: World) -> None:
    task = world.submit()
    for _ in range(3):
        world.claim(task)
        world.clock.advance(31)
    assert world.sweep() == {Found.GIVEN_UP: 1}
    failed = world.task(task)
    assert failed.error is not None
    assert (failed.state, failed.error.type, failed.due_at) == (State.FAILED, "Crashed", None)
    (letter,) = world.wiring.queue.dead_letters
    assert letter.attributes["task_id"] == task.task_id
    assert world.sweep() == {}


def test_a_task_whose_worker_died_and_that_should_stop_is_cancelled(world: World) -> None:
    task = world.submit()
    world.claim(task)
    world.wiring.store.change(task.task_id, request_cancel(now=world.clock.now()))
    world.clock.advance(31)
    assert world.sweep() == {Found.STOPPED: 1}
    assert world.task(task).state is State.CANCELLED


def test_what_moved_since_the_index_was_read_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.submit()
    world.clock.advance(DUE_MARGIN)
    stale = world.wiring.store.overdue(0, world.clock.now(), limit=10)
    world.claim(task)
    held = world.task(task)
    monkeypatch.setattr(world.wiring.store, "overdue", lambda *_, **__: stale)
    assert world.sweep() == {Found.MOVED: 1}
    assert world.task(task) == held


def test_one_run_is_bounded_and_the_next_goes_on(world: World) -> None:
    total = SWEEP_TASKS + 10
    for number in range(total):
        world.wiring.store.put(make_task(task_id=TaskId(f"task-{number:04}"), processor="work"))
    world.clock.advance(DUE_MARGIN)
    runs = [Counter(world.sweep()), Counter(world.sweep()), Counter(world.sweep())]
    assert [run.total() for run in runs] == [SWEEP_TASKS, 10, 0]
    assert len(world.wiring.queue.messages) == total
