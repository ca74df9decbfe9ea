from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tandem.ids import TaskId
from tandem.limits import BATCH_MESSAGES, DUE_MARGIN, SWEEP_TASKS, SWEEP_TIME
from tandem.messages import Envelope
from tandem.processing import Retry
from tandem.tasks.store import ChangeRefused
from tandem.tasks.sweep import Found, found_overdue
from tandem.tasks.task import State, Task, TaskError
from tandem.tasks.transitions import Change, request_cancel, retry_later
from tandem.testing import FakeClock, MemoryWiring
from tandem.worker.deliver import read_task_id
from tandem_tools.harness.tasks import make_task
from tests.factories.processors import double, make_wiring, new_work


class World:
    def __init__(self, **options: Any) -> None:
        self.wiring: MemoryWiring = make_wiring(double, **options)
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock

    def submit(self) -> Task:
        return self.wiring.submissions.offline(new_work(self.wiring))

    def claim(self, task: Task, *, alone: bool = True) -> None:
        until = self.clock.now() + timedelta(seconds=60)
        self.wiring.execution.claim(task.task_id, until=until, alone=alone, in_company=not alone)

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
    world.clock.advance(66)
    assert world.sweep() == {Found.RECLAIMED: 1}
    queued = world.task(task)
    assert queued.error is not None
    assert (queued.state, queued.error.type) == (State.QUEUED, "Crashed")
    assert len(world.wiring.queue.messages) == 2


def test_a_task_whose_last_attempt_died_fails_and_is_listed(world: World) -> None:
    task = world.submit()
    for _ in range(2):
        world.claim(task)
        world.clock.advance(66)
        assert world.sweep() == {Found.RECLAIMED: 1}
    world.claim(task)
    world.clock.advance(66)
    assert world.sweep() == {Found.GIVEN_UP: 1}
    failed = world.task(task)
    assert failed.error is not None
    assert (failed.state, failed.error.type, failed.due_at) == (State.FAILED, "Crashed", None)
    assert [one.task_id for one in world.wiring.store.failed(limit=10).tasks] == [task.task_id]
    assert world.wiring.queue.dead_letters == []
    assert world.sweep() == {}


def test_a_crash_in_company_costs_no_attempt_twice_then_the_task_runs_alone(world: World) -> None:
    task = world.submit()
    seen = []
    for alone in (False, False, True, True, True):
        world.claim(task, alone=alone)
        world.clock.advance(66)
        world.sweep()
        now = world.task(task)
        seen.append((now.state, now.attempts, now.uncounted, now.crashes, now.alone))
    assert seen == [
        (State.QUEUED, 1, 1, 1, False),
        (State.QUEUED, 2, 2, 2, True),
        (State.QUEUED, 3, 2, 3, True),
        (State.QUEUED, 4, 2, 4, True),
        (State.FAILED, 5, 2, 5, True),
    ]


def test_what_a_process_received_and_had_not_begun_when_it_died_is_sent_again(
    world: World,
) -> None:
    culprit = world.submit()
    mates = [world.submit() for _ in range(3)]
    hidden = world.wiring.queue.receive()
    world.claim(culprit, alone=False)
    world.clock.advance(66)
    later = world.submit()
    assert world.sweep() == {Found.RECLAIMED: 1, Found.NOT_BEGUN: 3}
    fresh = [one for one in world.wiring.queue.messages.values() if not one.receive_count]
    sent = Counter(read_task_id(message.body) for message in fresh)
    assert sent == Counter(task.task_id for task in (culprit, *mates, later))
    assert [world.task(mate).sweeps for mate in mates] == [0, 0, 0], "they are not late"
    assert len(hidden) == 4
    assert world.sweep() == {}


def test_a_death_alone_or_a_long_queue_sends_nothing_twice(world: World) -> None:
    culprit = world.submit()
    world.submit()
    world.claim(culprit, alone=True)
    world.clock.advance(66)
    assert world.sweep() == {Found.RECLAIMED: 1}
    world.clock.advance(DUE_MARGIN / 2)
    assert world.sweep() == {}


def test_a_death_beside_others_sends_no_more_than_a_batch_holds_however_long_the_queue(
    world: World,
) -> None:
    culprit = world.submit()
    waiting = []
    for _ in range(3 * BATCH_MESSAGES):
        world.clock.advance(1)
        waiting.append(world.submit())
    world.claim(culprit, alone=False)
    world.clock.advance(66)
    assert world.sweep() == {Found.RECLAIMED: 1, Found.NOT_BEGUN: BATCH_MESSAGES}
    moved = [task for task in waiting if world.task(task).due_at != task.due_at]
    assert moved == waiting[:BATCH_MESSAGES], "those that were sent first"


def test_a_task_that_waits_for_its_next_attempt_is_not_sent_beside_a_death(world: World) -> None:
    culprit, waits = world.submit(), world.submit()
    world.claim(waits)
    held = world.task(waits)
    soon = world.clock.now() + timedelta(minutes=10)
    error = TaskError("ConnectionError", "try later")
    world.wiring.store.change(
        waits.task_id,
        retry_later(
            held, now=world.clock.now(), not_before=soon, due_at=soon + DUE_MARGIN, error=error
        ),
    )
    world.claim(culprit, alone=False)
    world.clock.advance(66)
    assert world.sweep() == {Found.RECLAIMED: 1}


def test_a_task_that_must_run_alone_is_not_started_beside_others(world: World) -> None:
    task = world.submit()
    for _ in range(2):
        world.claim(task, alone=False)
        world.clock.advance(66)
        world.sweep()
    with pytest.raises(ChangeRefused):
        world.claim(task, alone=False)
    world.claim(task)


@pytest.mark.parametrize("alone", [True, False])
def test_a_task_that_must_never_start_twice_fails_by_its_first_crash(*, alone: bool) -> None:
    world = World(retry=Retry(attempts=1, crashes=0))
    task = world.submit()
    world.claim(task, alone=alone)
    world.clock.advance(66)
    assert world.sweep() == {Found.GIVEN_UP: 1}
    failed = world.task(task)
    assert (failed.state, failed.attempts) == (State.FAILED, 1)


def test_nothing_ends_a_task_before_its_attempts_deadline(world: World) -> None:
    long = World(retry=Retry(attempts=1), time_limit=800)
    task = long.submit()
    long.wiring.execution.claim(
        task.task_id, until=long.clock.now() + timedelta(seconds=890), alone=True
    )
    long.clock.advance(799)
    assert long.sweep() == {}
    long.clock.advance(6)
    assert long.sweep() == {Found.GIVEN_UP: 1}


def test_one_task_or_shard_that_cannot_be_swept_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [world.submit() for _ in range(3)]
    world.wiring.queue.messages.clear()
    world.clock.advance(DUE_MARGIN)
    healthy = world.wiring.store.change

    def throttled(task_id: TaskId, change: Change) -> Task:
        if task_id == tasks[1].task_id:
            raise ConnectionError
        return healthy(task_id, change)

    monkeypatch.setattr(world.wiring.store, "change", throttled)
    assert world.sweep() == {Found.SENT_AGAIN: 2, Found.LEFT: 1}
    assert len(world.wiring.queue.messages) == 2
    monkeypatch.setattr(world.wiring.store, "change", healthy)
    monkeypatch.setattr(world.wiring.store, "come_due", throttled)
    assert world.sweep() == {Found.SENT_AGAIN: 1, Found.LEFT: 1}


def lose_message(world: World) -> Task:
    task = world.submit()
    world.wiring.queue.messages.clear()
    world.clock.advance(DUE_MARGIN)
    return task


def lose_worker(world: World) -> Task:
    task = world.submit()
    world.claim(task)
    world.wiring.queue.messages.clear()
    world.clock.advance(66)
    return task


def come_due(world: World) -> Task:
    schedule(world, 1)
    (task,) = world.wiring.store.tasks.values()
    return task


@pytest.mark.parametrize("outage_minutes", [1, 20])
@pytest.mark.parametrize("overdue", [lose_message, lose_worker, come_due])
def test_what_could_not_be_sent_is_sent_in_the_first_minute_that_it_can(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    overdue: Callable[[World], Task],
    outage_minutes: int,
) -> None:
    def away(*_: Envelope) -> list[TaskId]:
        raise ConnectionError

    task = overdue(world)
    with monkeypatch.context() as outage:
        outage.setattr(world.wiring.queue, "send", away)
        for _ in range(outage_minutes):
            assert world.sweep() == {Found.LEFT: 1}
            world.clock.advance(60)
    assert world.sweep() == {Found.SENT_AGAIN: 1}
    (message,) = world.wiring.queue.messages.values()
    assert task.task_id in message.body
    due_at = world.task(task).due_at
    assert due_at is not None
    assert due_at - world.clock.now() == DUE_MARGIN, "an outage of the queue doubles no wait"
    assert world.sweep() == {}


def test_of_a_call_that_lost_a_part_that_part_alone_is_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [world.submit() for _ in range(3)]
    world.wiring.queue.messages.clear()
    world.clock.advance(DUE_MARGIN)
    send = world.wiring.queue.send

    def lose_one(*envelopes: Envelope) -> list[TaskId]:
        kept = [one for one in envelopes if one.task_id != tasks[1].task_id]
        send(*kept)
        return [tasks[1].task_id]

    with monkeypatch.context() as partly:
        partly.setattr(world.wiring.queue, "send", lose_one)
        assert world.sweep() == {Found.SENT_AGAIN: 2, Found.LEFT: 1}
    world.clock.advance(60)
    assert world.sweep() == {Found.SENT_AGAIN: 1}
    sent = [read_task_id(message.body) for message in world.wiring.queue.messages.values()]
    assert sorted(sent, key=str) == sorted(task.task_id for task in tasks)


def test_a_task_that_was_sent_though_the_answer_was_lost_is_left_where_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = lose_message(world)
    send = world.wiring.queue.send

    def sent_and_claimed(*envelopes: Envelope) -> list[TaskId]:
        send(*envelopes)
        world.claim(task)
        raise ConnectionError

    monkeypatch.setattr(world.wiring.queue, "send", sent_and_claimed)
    world.sweep()
    assert world.task(task).state is State.RUNNING
    assert world.task(task).due_at == world.task(task).lease_until


def test_a_task_that_was_to_run_later_is_not_overdue_when_its_time_has_come(world: World) -> None:
    run_after = world.clock.now() + timedelta(hours=2)
    task = world.wiring.submissions.offline(new_work(world.wiring, run_after=run_after))
    assert world.wiring.queue.messages == {}
    world.clock.advance(timedelta(hours=2))
    swept = world.wiring.sweep.run()
    assert dict(swept) == {Found.CAME_DUE: 1}
    assert found_overdue(swept) == 0
    assert len(world.wiring.queue.messages) == 1
    assert world.task(task).sweeps == 0
    world.wiring.queue.messages.clear()
    world.clock.advance(DUE_MARGIN)
    assert world.sweep() == {Found.SENT_AGAIN: 1}, "its message was lost"


def test_recoveries_are_sent_before_what_was_to_run_later(world: World) -> None:
    run_after = world.clock.now() + timedelta(hours=2)
    later = world.wiring.submissions.offline(new_work(world.wiring, run_after=run_after))
    lost = world.submit()
    world.wiring.queue.messages.clear()
    world.clock.advance(timedelta(hours=3))
    assert world.sweep() == {Found.SENT_AGAIN: 1, Found.CAME_DUE: 1}
    sent = [read_task_id(message.body) for message in world.wiring.queue.messages.values()]
    assert sent == [lost.task_id, later.task_id]


def schedule(world: World, tasks: int) -> None:
    run_after = world.clock.now() + timedelta(hours=2)
    for _ in range(tasks):
        world.wiring.submissions.offline(new_work(world.wiring, run_after=run_after))
    world.clock.advance(timedelta(hours=2))


def test_many_tasks_for_the_same_minute_are_all_sent_in_it(world: World) -> None:
    schedule(world, 2 * SWEEP_TASKS + 1)
    assert world.sweep() == {Found.CAME_DUE: 2 * SWEEP_TASKS + 1}
    assert world.sweep() == {}


def test_a_run_sends_tasks_whose_time_has_come_for_a_bounded_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(world, 3 * SWEEP_TASKS)
    come_due = world.wiring.store.come_due

    def slow(*arguments: Any, **options: Any) -> Any:
        world.clock.advance(SWEEP_TIME * 0.6)
        return come_due(*arguments, **options)

    monkeypatch.setattr(world.wiring.store, "come_due", slow)
    assert world.sweep() == {Found.CAME_DUE: 2 * SWEEP_TASKS}
    assert world.sweep() == {Found.CAME_DUE: SWEEP_TASKS}


def test_a_task_whose_worker_died_and_that_should_stop_is_cancelled(world: World) -> None:
    task = world.submit()
    world.claim(task)
    world.wiring.store.change(task.task_id, request_cancel(now=world.clock.now()))
    world.clock.advance(66)
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


def test_a_dead_worker_is_found_at_once_however_many_tasks_wait_for_too_long(world: World) -> None:
    for number in range(2 * SWEEP_TASKS):
        world.wiring.store.put(make_task(task_id=TaskId(f"task-{number:04}"), processor="work"))
    world.clock.advance(DUE_MARGIN)
    task = world.submit()
    world.claim(task)
    world.clock.advance(66)
    assert world.sweep() == {Found.RECLAIMED: 1, Found.SENT_AGAIN: SWEEP_TASKS - 1}
    assert world.task(task).state is State.QUEUED


def test_one_run_is_bounded_and_the_next_goes_on(world: World) -> None:
    total = SWEEP_TASKS + 10
    for number in range(total):
        world.wiring.store.put(make_task(task_id=TaskId(f"task-{number:04}"), processor="work"))
    world.clock.advance(DUE_MARGIN)
    runs = [Counter(world.sweep()), Counter(world.sweep()), Counter(world.sweep())]
    assert [run.total() for run in runs] == [SWEEP_TASKS, 10, 0]
    assert len(world.wiring.queue.messages) == total
