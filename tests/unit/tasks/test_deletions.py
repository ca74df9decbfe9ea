from datetime import timedelta
from io import StringIO
from typing import Any

import pytest

from tandem.files.blobs import task_prefix
from tandem.ids import TaskId
from tandem.limits import PURGE_SECONDS, PURGE_TASKS
from tandem.processing import TaskContext
from tandem.reports.counts import tasks_in
from tandem.tasks.actions import NoSuchTask
from tandem.tasks.store import ChangeRefused
from tandem.tasks.task import State, Task
from tandem.testing import FakeClock, MemoryWiring
from tandem_tools.harness.tasks import ACME
from tests.factories.deliveries import deliver_all, deliver_callbacks
from tests.factories.processors import Number, make_wiring, new_work

HOOK = "https://hooks.example.com/tandem"
MINUTE = timedelta(minutes=1)


def save(data: Number, ctx: TaskContext) -> Number:
    ctx.save_file("a.csv", b"1", content_type="text/csv")
    return data


class World:
    """The application, with tasks that have ended."""

    def __init__(self) -> None:
        self.wiring: MemoryWiring = make_wiring(save)
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock
        list(self.wiring.reports.close_due())

    def ended(self, **fields: Any) -> Task:
        task = self.wiring.submissions.offline(new_work(self.wiring, **fields))
        deliver_all(self.wiring)
        return self.wiring.store.tasks[task.task_id]

    def minutes(self, count: int) -> int:
        """Let the report run each minute, and return how many tasks were purged."""
        purged = 0
        for _ in range(count):
            self.clock.advance(MINUTE)
            list(self.wiring.reports.close_due())
            purged += self.wiring.purge.run()
        return purged

    def objects(self, task_id: TaskId) -> list[str]:
        return self.wiring.blobs.keys(task_prefix(task_id))

    def counted(self) -> int:
        totals = self.wiring.report_store.totals()
        assert totals is not None
        return tasks_in(totals.counts)


@pytest.fixture
def world() -> World:
    return World()


def broken(*_: object, **__: object) -> Any:
    raise OSError("SECRET-DETAIL")


def test_a_deleted_task_is_gone_with_its_objects_and_counted_once(world: World) -> None:
    task, other = world.ended(), world.ended()
    assert world.objects(task.task_id)
    world.wiring.deletions.delete(task)
    with pytest.raises(NoSuchTask):
        world.wiring.tasks.get(ACME, task.task_id)
    assert world.objects(task.task_id) == []
    assert world.objects(other.task_id)
    assert world.minutes(30) == 1
    assert world.counted() == 2
    assert world.wiring.store.counted == {}
    assert world.wiring.store.deletion(task.task_id) is not None


def test_a_task_is_deleted_only_when_it_has_ended_and_stays_so(world: World) -> None:
    queued = world.wiring.submissions.offline(new_work(world.wiring))
    with pytest.raises(ChangeRefused):
        world.wiring.deletions.delete(queued)
    deliver_all(world.wiring)
    task = world.wiring.tasks.get(ACME, queued.task_id)
    world.wiring.deletions.delete(task)
    deletion = world.wiring.store.deletion(task.task_id)
    world.clock.advance(timedelta(seconds=1))
    world.wiring.deletions.delete(task)
    assert world.wiring.store.deletion(task.task_id) == deletion


def test_a_task_is_not_purged_while_a_report_may_count_it(world: World) -> None:
    """Reports do not run: no time that passes closes its window."""
    world.wiring.deletions.delete(world.ended())
    world.clock.advance(timedelta(hours=2))
    assert world.wiring.purge.run() == 0
    assert len(world.wiring.store.counted) == 1
    assert world.minutes(10) == 1
    assert world.counted() == 1


def test_a_late_task_beside_a_deleted_one_is_still_counted(world: World) -> None:
    """A closed window is read again while it has more tasks than were counted."""
    world.wiring.deletions.delete(world.ended())
    late = world.ended()
    hidden = world.wiring.store.tasks.pop(late.task_id)
    world.minutes(4)
    assert world.counted() == 1
    world.wiring.store.tasks[late.task_id] = hidden
    world.minutes(30)
    assert world.counted() == 2


def test_objects_that_were_not_deleted_are_deleted_before_the_task_is_purged(
    world: World, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    task = world.ended()
    with monkeypatch.context() as down:
        down.setattr(world.wiring.blobs, "delete_under", broken)
        world.wiring.deletions.delete(task)
        assert world.minutes(30) == 0
    assert world.objects(task.task_id)
    assert len(world.wiring.store.counted) == 1
    assert "objects not deleted" in log.getvalue()
    assert "task not purged" in log.getvalue()
    assert "SECRET-DETAIL" not in log.getvalue()
    assert world.minutes(1) == 1
    assert world.objects(task.task_id) == []


def test_an_object_that_is_stored_late_goes_with_the_purge(world: World) -> None:
    task = world.ended()
    world.wiring.deletions.delete(task)
    world.minutes(14)
    key = f"{task_prefix(task.task_id)}2/files/late.csv"
    world.wiring.blobs.put(key, b"late", content_type="text/csv")
    assert world.minutes(5) == 1
    assert world.objects(task.task_id) == []


def test_many_objects_are_deleted_by_one_run_after_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.ended()
    for number in range(4):
        key = f"{task_prefix(task.task_id)}1/files/{number}"
        world.wiring.blobs.put(key, b"x", content_type="text/csv")
    monkeypatch.setattr("tandem.tasks.deletions.DELETED_OBJECTS", 2)
    world.wiring.deletions.delete(task)
    assert len(world.objects(task.task_id)) == 3
    assert world.minutes(16) == 0
    assert world.minutes(2) == 1
    assert world.objects(task.task_id) == []


def test_a_task_that_cannot_be_purged_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = world.ended(), world.ended()
    for task in (bad, good):
        world.wiring.deletions.delete(task)
    purge = world.wiring.store.purge

    def but_one(task_id: TaskId, **options: Any) -> None:
        if task_id == bad.task_id:
            raise OSError
        purge(task_id, **options)

    monkeypatch.setattr(world.wiring.store, "purge", but_one)
    assert world.minutes(20) == 1
    assert list(world.wiring.store.counted) == [bad.task_id]


def test_a_shard_that_cannot_be_read_fails_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    monkeypatch.setattr(world.wiring.store, "deletions", broken)
    assert world.minutes(1) == 0
    assert "shard not purged" in log.getvalue()


def test_a_run_purges_a_bounded_number_in_a_bounded_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(PURGE_TASKS + 2):
        world.wiring.deletions.delete(world.ended())
    world.clock.advance(timedelta(minutes=30))
    list(world.wiring.reports.close_due())
    assert world.wiring.purge.run() == PURGE_TASKS
    slow = world.wiring.blobs.delete_under

    def slowly(*arguments: Any, **options: Any) -> Any:
        world.clock.advance(PURGE_SECONDS)
        return slow(*arguments, **options)

    monkeypatch.setattr(world.wiring.blobs, "delete_under", slowly)
    assert world.wiring.purge.run() == 1
    assert len(world.wiring.store.counted) == 1


@pytest.mark.parametrize("minutes", [0, 30])
def test_a_message_of_a_deleted_task_is_no_dead_letter(world: World, minutes: int) -> None:
    """However late it comes: the task is purged by then, but its id is known."""
    queued = world.wiring.submissions.offline(new_work(world.wiring))
    world.wiring.deletions.delete(world.wiring.tasks.cancel(ACME, queued.task_id))
    assert world.minutes(minutes) == (1 if minutes else 0)
    assert deliver_all(world.wiring) == [True]
    assert world.wiring.queue.dead_letters == []


@pytest.mark.parametrize("minutes", [0, 30])
def test_a_callback_of_a_deleted_task_is_not_sent_and_no_dead_letter(
    world: World, minutes: int
) -> None:
    world.wiring.deletions.delete(world.ended(callback_url=HOOK))
    assert world.minutes(minutes) == (1 if minutes else 0)
    assert deliver_callbacks(world.wiring) == [True]
    assert world.wiring.callback_sender.posts == []
    assert world.wiring.callback_queue.dead_letters == []


def test_a_callback_that_was_not_handed_over_is_not_sent_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as down:
        down.setattr(world.wiring.callback_queue, "send", broken)
        task = world.ended(callback_url=HOOK)
    world.wiring.deletions.delete(task)
    world.clock.advance(timedelta(minutes=5))
    assert world.wiring.callbacks.sweep() == 0
    assert world.wiring.callback_queue.messages == {}


def test_a_failed_task_leaves_the_list_of_failed_tasks(world: World) -> None:
    task = world.ended(document=b'{"value":"no number"}')
    assert task.state is State.FAILED
    assert len(world.wiring.store.failed(limit=10).tasks) == 1
    world.wiring.deletions.delete(task)
    assert world.wiring.store.failed(limit=10).tasks == []
