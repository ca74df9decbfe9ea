from datetime import timedelta
from io import StringIO

import pytest

from tandem.messages import Envelope
from tandem.tasks.task import Task
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.processors import double, make_wiring, new_work


@pytest.fixture
def wiring() -> MemoryWiring:
    return make_wiring(double)


def visible_in(wiring: MemoryWiring) -> timedelta:
    (message,) = wiring.queue.messages.values()
    return message.visible_at - wiring.clock.now()


def test_a_task_is_recorded_before_it_is_sent_and_accepted_when_it_cannot_be(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    def lost(*_: Envelope) -> None:
        assert len(wiring.store.tasks) == 1
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(wiring.queue, "send", lost)
        task = wiring.submissions.offline(new_work(wiring))
    assert "not sent" in log.getvalue()
    assert wiring.store.tasks[task.task_id] == task
    assert task.due_at is not None
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(task.due_at - clock.now())
    wiring.sweep.run()
    assert visible_in(wiring) == timedelta(0)


def test_a_task_for_soon_waits_in_the_queue(wiring: MemoryWiring) -> None:
    at = wiring.clock.now() + timedelta(minutes=15)
    task = wiring.submissions.offline(new_work(wiring, run_after=at))
    assert visible_in(wiring) == timedelta(minutes=15)
    assert (task.not_before, task.due_at) == (at, at + timedelta(minutes=15))


def test_a_task_for_later_is_not_sent_before_it_is_due(wiring: MemoryWiring) -> None:
    at = wiring.clock.now() + timedelta(hours=2)
    task = wiring.submissions.offline(new_work(wiring, run_after=at))
    assert wiring.queue.messages == {}
    assert (task.not_before, task.due_at) == (at, at)
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(hours=2))
    wiring.sweep.run()
    assert visible_in(wiring) == timedelta(0)


def test_a_time_that_has_passed_is_now(wiring: MemoryWiring) -> None:
    at = wiring.clock.now() - timedelta(hours=2)
    assert wiring.submissions.offline(new_work(wiring, run_after=at)).not_before is None
    assert visible_in(wiring) == timedelta(0)


def test_many_tasks_are_recorded_and_sent_and_each_says_what_became_of_it(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, refused = wiring.store.put, OSError("throttled")

    def put_most(task: Task, **options: object) -> None:
        if len(wiring.store.tasks) == 3 and not wiring.queue.messages:
            raise refused
        put(task)

    monkeypatch.setattr(wiring.store, "put", put_most)
    outcomes = wiring.submissions.offline_many([new_work(wiring) for _ in range(5)])
    recorded = [one for one in outcomes if isinstance(one, Task)]
    assert len(outcomes) == 5
    assert {one.task_id for one in recorded} == wiring.store.tasks.keys()
    assert len(wiring.queue.messages) == len(recorded) == 3
    assert [one for one in outcomes if not isinstance(one, Task)] == [refused, refused]
