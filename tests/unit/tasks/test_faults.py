"""The process stops before and after every call that it makes; nothing is lost or done twice.

The points are not listed here: each scenario is run once to see its calls, and then once for each
of them. A new call of a port adds its points by itself.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from tandem.callbacks.callback import CallbackState
from tandem.callbacks.ports import Answered, Unreachable
from tandem.dead_letters.letters import LetterFilter, Request
from tandem.files.blobs import task_prefix
from tandem.ids import TaskId, new_task_id
from tandem.messages import Redeliver, hide
from tandem.processing import Permanent, TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.reports.counts import tasks_in
from tandem.reports.ports import Reply
from tandem.reports.window import WINDOW, Window
from tandem.settings import Settings
from tandem.tasks.actions import AlreadyFinished
from tandem.tasks.results import CachedResult
from tandem.tasks.task import InlinePayload, Mode, State, Task
from tandem.telemetry import logger
from tandem.testing import FakeClock, MemoryWiring
from tandem.testing.wiring import CALLBACK_KEY, REPORT_KEY
from tandem.worker.deliver import read_task_id
from tandem_tools.harness.tasks import ACME
from tests.factories.deliveries import deliver_callbacks, delivery_of
from tests.factories.faults import Fault, FaultyWiring, Kind, Stopped
from tests.factories.faults import Unreachable as NoAnswer
from tests.factories.processors import Number, make_processor, new_work

TRANSIENT, REFUSED, LARGE, FILE = 1, 2, 3, 4

REDRIVE = Request(limit=10, dry_run=False, requested_by="ops", traceparent="00-1")

LATER = timedelta(hours=2)
KEPT_UNDER = "kept-under"

HOOK = "https://hooks.example.com/tandem"
REPORTS = "https://hooks.example.com/reports"
COLLECTOR = "http://collector.example.com:4318"

SETTINGS = Settings(
    callback_secret=CALLBACK_KEY,
    report_topic_arn="arn:aws:sns:eu-central-1:111122223333:reports",
    report_webhook_url=REPORTS,
    report_webhook_secret=REPORT_KEY,
    otlp_endpoint=COLLECTOR,
)


def work(data: Number, ctx: TaskContext) -> Number:
    ctx.progress(1)
    if data.value == TRANSIENT and ctx.attempt == 1:
        raise ConnectionError
    if data.value == REFUSED:
        raise Permanent("no")
    if data.value == FILE:
        ctx.save_file("numbers.csv", b"1", content_type="text/csv")
    return Number(value=data.value, text="x" * 300_000 if data.value == LARGE else "")


class World:
    """The application before, while and after a process of it is stopped."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        catalogue = Catalogue([make_processor(work, cache_for=3600)])
        self.wiring = MemoryWiring(SETTINGS, clock=self.clock, catalogue=catalogue)
        self.started = self.clock.now()
        self.deleted: list[TaskId] = []
        """Tasks whose deletion was begun."""
        list(self.wiring.reports.close_due())
        self.first_sent = self.wiring.reports.before_next().plus(1)

    def submit(self, wiring: MemoryWiring, value: int = 0) -> Task:
        return wiring.submissions.offline(new_work(wiring, b'{"value":%d}' % value))

    def deliver(self, wiring: MemoryWiring) -> None:
        for message in self.wiring.queue.receive():
            until = self.clock.now() + timedelta(seconds=100)
            delivery = delivery_of(message)
            try:
                wiring.deliveries.handle(delivery, until=until, alone=True)
            except Redeliver as again:
                wiring.deliveries.redeliver(delivery, again)
            else:
                self.wiring.queue.delete(message)

    def submit_with_callback(self, wiring: MemoryWiring, value: int = 0) -> Task:
        document = b'{"value":%d}' % value
        return wiring.submissions.offline(new_work(wiring, document, callback_url=HOOK))

    def deliver_callbacks(self, wiring: MemoryWiring) -> None:
        for message in self.wiring.callback_queue.receive():
            delivery = delivery_of(message)
            try:
                wiring.callback_deliveries.handle(delivery)
            except Redeliver as again:
                hide(wiring.callback_inbox, delivery, again.wait, logger)
            else:
                self.wiring.callback_queue.delete(message)

    def recover(self) -> None:
        """Let time pass over a worker and a schedule that live."""
        for _ in range(200):
            self.wiring.sweep.run()
            self.deliver(self.wiring)
            report_and_send(self.wiring)
            self.wiring.callbacks.sweep()
            deliver_callbacks(self.wiring)
            self.wiring.purge.run()
            self.clock.advance(300)
            if self.at_rest():
                break
        self.clock.advance(120)
        while report_and_send(self.wiring):
            pass

    def others_go_on(self) -> None:
        """Do what other processes may do between a call and its repetition."""
        self.wiring.sweep.run()
        self.deliver(self.wiring)
        self.wiring.callbacks.sweep()
        deliver_callbacks(self.wiring)
        report_and_send(self.wiring)

    def at_rest(self) -> bool:
        tasks = self.wiring.store.tasks.values()
        return (
            all(task.state.final for task in tasks)
            and not any(
                task.callback and task.callback.state is CallbackState.PENDING for task in tasks
            )
            and not self.wiring.store.counted
            and not self.wiring.queue.messages
            and not self.wiring.callback_queue.messages
        )

    def check_callbacks(self, tasks: list[Task]) -> None:
        """Assert that each callback reached its receiver or is on the list, and nothing else."""
        told = {post.headers["webhook-id"] for post in self.wiring.callback_sender.posts}
        letters = self.wiring.callback_queue.dead_letters
        assert [letter.body for letter in letters if read_task_id(letter.body)] == []
        listed = self.wiring.callback_store.given_up(limit=10).tasks
        given_up = {task.task_id for task in listed}
        for task in tasks:
            if task.callback is None:
                assert task.task_id not in told | given_up
            elif task.callback.state is CallbackState.DELIVERED:
                assert task.task_id in told - given_up
            else:
                assert task.callback.state is CallbackState.FAILED
                assert task.task_id in given_up
        later = self.clock.now() + timedelta(days=1)
        assert self.wiring.callback_store.waiting(0, later, limit=10) == []

    def check_sinks(self) -> None:
        """Assert that each sink got each window, and that none counts what it got twice."""
        totals = self.wiring.report_store.totals()
        assert totals is not None
        count = (totals.closed_through.start - self.first_sent.start) // WINDOW + 1
        closed = [self.first_sent.plus(number) for number in range(count)]
        windows = [report.window for report, _ in self.wiring.cloudwatch_sink.published]
        assert list(dict.fromkeys(windows)) == closed
        notices = [one.attributes["window"] for one in self.wiring.report_topic.notices]
        assert list(dict.fromkeys(notices)) == [window.name for window in closed]
        posts = self.wiring.poster.posts
        hooks = [one for one in posts if one.url == REPORTS]
        ids = [one.headers["webhook-id"] for one in hooks]
        assert list(dict.fromkeys(ids)) == [f"tandem/report/{window.name}" for window in closed]
        bodies = {one.headers["webhook-id"]: one.body for one in hooks}
        assert all(one.body == bodies[one.headers["webhook-id"]] for one in hooks)
        events = [json.loads(body) for body in bodies.values()]
        before = tasks_in(totals.counts) - sum(event["data"]["tasks"] for event in events)
        assert before == 0
        points = [json.loads(one.body) for one in posts if one.url == f"{COLLECTOR}/v1/metrics"]
        assert exported_tasks(points[-1]) == tasks_in(totals.counts)

    def check_deleted(self) -> None:
        """Assert that what was deleted is gone, and what was not is whole."""
        assert self.wiring.store.counted == {}
        for task_id in self.deleted:
            if self.wiring.store.deletion(task_id) is not None:
                assert self.wiring.store.get(task_id) is None
                assert self.wiring.blobs.keys(task_prefix(task_id)) == []
                assert self.wiring.result_cache.get(KEPT_UNDER, self.started) is None

    def check(self) -> None:
        """Assert that each task has exactly one end, in the store, the reports and the letters."""
        self.check_deleted()
        tasks = list(self.wiring.store.tasks.values())
        for task in tasks:
            assert task.state.final, task
            good = [one for one in task.history if one.ended_at and one.error is None]
            numbers = [one.number for one in task.history]
            assert numbers == list(range(1, task.attempts + 1))
            if task.state is State.SUCCEEDED:
                assert len(good) == (0 if task.cached_from else 1)
                assert list(task.history[-1:]) == good
                assert task.output is not None
                assert self.wiring.payloads.read(task.output).startswith(b'{"value":')
            else:
                assert good == []
            if task.state is State.FAILED:
                again = [one.task_id for one in tasks if one.retry_of == task.task_id]
                assert (task.listed_at is None) == bool(again)
                assert task.retried_as in (again or [None])
                assert sum(one.requested_by is not None for one in tasks if one.retry_of) <= 1
            else:
                assert task.listed_at is None
        assert self.wiring.queue.dead_letters == []
        self.check_callbacks(tasks)
        totals = self.wiring.report_store.totals()
        assert totals is not None
        gone = sum(self.wiring.store.deletion(one) is not None for one in self.deleted)
        assert sum(count.tasks for count in totals.counts.values()) == len(tasks) + gone
        self.check_sinks()


def report_and_send(wiring: MemoryWiring) -> list[Window]:
    """Do what the function of the report does each minute, but for the sweeps."""
    states = wiring.publishing.begin(wiring.reports.before_next())
    closed = [report.window for report in wiring.reports.close_due(None, states)]
    wiring.publishing.run()
    return closed


def exported_tasks(request: dict[str, Any]) -> int:
    """Return how many tasks an OTLP request says that ended."""
    ((scope,),) = (one["scopeMetrics"] for one in request["resourceMetrics"])
    points = [
        point
        for metric in scope["metrics"]
        if metric["name"] == "tandem.tasks"
        for point in metric["sum"]["dataPoints"]
    ]
    return sum(int(point["asInt"]) for point in points)


def offline(value: int) -> Callable[[World, MemoryWiring], None]:
    def scenario(world: World, wiring: MemoryWiring) -> None:
        world.submit(wiring, value)
        world.deliver(wiring)

    return scenario


def online(world: World, wiring: MemoryWiring) -> None:
    data = Number(value=0)
    asyncio.run(wiring.online.process(new_work(wiring, b'{"value":0}'), data, budget_seconds=10))


def out_of_budget(world: World, wiring: MemoryWiring) -> None:
    data = Number(value=0)
    asyncio.run(wiring.online.process(new_work(wiring, b'{"value":0}'), data, budget_seconds=0))


def sweep_lost_message(world: World, wiring: MemoryWiring) -> None:
    world.submit(world.wiring)
    world.wiring.queue.messages.clear()
    world.clock.advance(LATER)
    wiring.sweep.run()


def sweep_dead_worker(world: World, wiring: MemoryWiring) -> None:
    task = world.submit(world.wiring)
    until = world.clock.now() + timedelta(seconds=100)
    world.wiring.execution.claim(task.task_id, until=until)
    world.clock.advance(LATER)
    wiring.sweep.run()


def die_three_times(world: World, task: Task) -> None:
    """Let a task's attempts end with their processes, alone, and the last one not be found yet."""
    world.wiring.queue.receive()
    for number in range(3):
        until = world.clock.now() + timedelta(seconds=100)
        world.wiring.execution.claim(task.task_id, until=until, alone=True)
        world.clock.advance(timedelta(minutes=3))
        if number < 2:
            world.wiring.recovery.recover(world.wiring.store.tasks[task.task_id])


def sweep_last_attempt(world: World, wiring: MemoryWiring) -> None:
    die_three_times(world, world.submit(world.wiring))
    wiring.sweep.run()


def cancel(world: World, wiring: MemoryWiring) -> None:
    task = world.submit(world.wiring)
    wiring.tasks.cancel(ACME, task.task_id)


def retry(world: World, wiring: MemoryWiring) -> None:
    task = world.submit(world.wiring)
    world.deliver(world.wiring)
    wiring.tasks.again(world.wiring.store.tasks[task.task_id], traceparent="00-1")


def batch(world: World, wiring: MemoryWiring) -> None:
    wiring.submissions.offline_many([new_work(wiring, b'{"value":0}') for _ in range(3)])


def redrive(world: World, wiring: MemoryWiring) -> None:
    world.submit(world.wiring, REFUSED)
    world.deliver(world.wiring)
    wiring.dead_letters.redrive(LetterFilter(), REDRIVE)


def report(world: World, wiring: MemoryWiring) -> None:
    world.submit(world.wiring)
    world.deliver(world.wiring)
    world.clock.advance(timedelta(minutes=3))
    report_and_send(wiring)


def report_to_what_fails(world: World, wiring: MemoryWiring) -> None:
    world.submit(world.wiring)
    world.deliver(world.wiring)
    world.clock.advance(timedelta(minutes=2))
    world.wiring.poster.answers = [Reply(503, b""), Unreachable("no answer"), Reply(400, b"")]
    report_and_send(wiring)


def called_back(value: int) -> Callable[[World, MemoryWiring], None]:
    def scenario(world: World, wiring: MemoryWiring) -> None:
        world.submit_with_callback(wiring, value)
        world.deliver(wiring)
        world.deliver_callbacks(wiring)

    return scenario


def online_called_back(world: World, wiring: MemoryWiring) -> None:
    new = new_work(wiring, b'{"value":0}', callback_url=HOOK)
    asyncio.run(wiring.online.process(new, Number(value=0), budget_seconds=10))
    world.deliver_callbacks(wiring)


def cancel_called_back(world: World, wiring: MemoryWiring) -> None:
    task = world.submit_with_callback(world.wiring)
    wiring.tasks.cancel(ACME, task.task_id)
    world.deliver_callbacks(wiring)


def give_up_called_back(world: World, wiring: MemoryWiring) -> None:
    die_three_times(world, world.submit_with_callback(world.wiring))
    wiring.sweep.run()


def kept_called_back(world: World, wiring: MemoryWiring) -> None:
    now = world.clock.now()
    kept = CachedResult(
        task_id=new_task_id(now),
        output=InlinePayload('{"value":0}'),
        file=None,
        made_at=now,
        expires_at=now + LATER,
    )
    new = new_work(wiring, b'{"value":0}', callback_url=HOOK)
    wiring.submissions.answered(new, Mode.OFFLINE, kept)


def sweep_callback(world: World, wiring: MemoryWiring) -> None:
    world.submit_with_callback(world.wiring)
    with suppress(Stopped):
        world.deliver(FaultyWiring(world.wiring, Fault(before="callback_queue.send")))
    world.clock.advance(timedelta(minutes=2))
    wiring.callbacks.sweep()


def callback_again(world: World, wiring: MemoryWiring) -> None:
    world.submit_with_callback(world.wiring)
    world.deliver(world.wiring)
    world.wiring.callback_sender.answers = [Answered(500), Answered(500)]
    world.deliver_callbacks(wiring)
    world.clock.advance(60)
    world.deliver_callbacks(wiring)


def callback_gone(world: World, wiring: MemoryWiring) -> None:
    world.submit_with_callback(world.wiring)
    world.deliver(world.wiring)
    world.wiring.callback_sender.answers = [Answered(410)] * 3
    world.deliver_callbacks(wiring)


def redrive_callback(world: World, wiring: MemoryWiring) -> None:
    callback_gone(world, world.wiring)
    world.wiring.callback_sender.answers = []
    wiring.callback_letters.redrive(LetterFilter(), REDRIVE)
    world.deliver_callbacks(wiring)


def unreadable_callback(world: World, wiring: MemoryWiring) -> None:
    world.wiring.callback_queue.send_text("hello")
    world.deliver_callbacks(wiring)


def unhandled_callback(world: World, wiring: MemoryWiring) -> None:
    task = world.submit_with_callback(world.wiring)
    world.deliver(world.wiring)
    world.wiring.callback_queue.messages.clear()
    world.wiring.callback_queue.dead_letter(
        json.dumps({"task_id": task.task_id}),
        message_id="message",
        reason="unhandled",
        error="",
        task_id=None,
    )
    try:
        wiring.callback_letters.redrive(LetterFilter(), REDRIVE)
        world.deliver_callbacks(wiring)
    finally:
        # What a stop left in the queue of dead letters, the operator redrives again.
        world.clock.advance(LATER)
        world.wiring.callback_letters.redrive(LetterFilter(), REDRIVE)


def ended(world: World, value: int, **fields: Any) -> Task:
    """Return a task that has ended, and is about to be deleted."""
    new = new_work(world.wiring, b'{"value":%d}' % value, **fields)
    task = world.wiring.submissions.offline(new)
    world.deliver(world.wiring)
    world.deleted.append(task.task_id)
    return world.wiring.store.tasks[task.task_id]


def delete(value: int, **fields: Any) -> Callable[[World, MemoryWiring], None]:
    def scenario(world: World, wiring: MemoryWiring) -> None:
        wiring.deletions.delete(ended(world, value, **fields))

    return scenario


def delete_before_its_callback_is_sent(world: World, wiring: MemoryWiring) -> None:
    """It is not sent any more: no receiver is told, and nothing is a dead letter."""
    wiring.deletions.delete(ended(world, 0, callback_url=HOOK))
    world.deliver_callbacks(wiring)
    assert world.wiring.callback_sender.posts == []


def delete_while_its_message_is_queued(world: World, wiring: MemoryWiring) -> None:
    task = world.submit(world.wiring)
    world.deleted.append(task.task_id)
    wiring.deletions.delete(wiring.tasks.cancel(ACME, task.task_id))
    world.deliver(wiring)


def purge(world: World, wiring: MemoryWiring) -> None:
    first, second = ended(world, FILE, cache_key=KEPT_UNDER), ended(world, LARGE)
    for task in (first, second):
        with suppress(Stopped):
            FaultyWiring(world.wiring, Fault(before="blobs.delete_under")).deletions.delete(task)
    for _ in range(25):
        world.clock.advance(60)
        report_and_send(world.wiring)
    assert world.wiring.blobs.keys("tasks/")
    wiring.purge.run()


SCENARIOS: dict[str, Callable[[World, MemoryWiring], None]] = {
    "good": offline(0),
    "transient": offline(TRANSIENT),
    "permanent": offline(REFUSED),
    "large": offline(LARGE),
    "online": online,
    "out of budget": out_of_budget,
    "lost message": sweep_lost_message,
    "dead worker": sweep_dead_worker,
    "last attempt": sweep_last_attempt,
    "cancel": cancel,
    "retry": retry,
    "batch": batch,
    "redrive": redrive,
    "report": report,
    "report to what fails": report_to_what_fails,
    "callback": called_back(0),
    "callback of a failure": called_back(REFUSED),
    "callback online": online_called_back,
    "callback of a cancel": cancel_called_back,
    "callback of a dead worker": give_up_called_back,
    "callback of a kept result": kept_called_back,
    "callback swept": sweep_callback,
    "callback again": callback_again,
    "callback gone": callback_gone,
    "callback redriven": redrive_callback,
    "callback unreadable": unreadable_callback,
    "callback unhandled": unhandled_callback,
    "delete": delete(0),
    "delete a failure": delete(REFUSED),
    "delete with objects": delete(FILE, cache_key=KEPT_UNDER),
    "delete with a large output": delete(LARGE),
    "delete before its callback": delete_before_its_callback_is_sent,
    "delete before its message": delete_while_its_message_is_queued,
    "purge": purge,
}


def play(name: str, fault: Fault) -> World:
    world = World()
    fault.between = world.others_go_on
    fault.later = lambda: world.clock.advance(40)
    # What a caller is answered when a service does not is another test's question.
    with suppress(Stopped, NoAnswer, AlreadyFinished):
        SCENARIOS[name](world, FaultyWiring(world.wiring, fault))
    return world


def points() -> list[tuple[str, int, bool]]:
    found = []
    for name in SCENARIOS:
        seen = Fault()
        play(name, seen)
        for number in range(len(seen.calls)):
            found += [(name, number, False), (name, number, True)]
    return found


POINTS = points()


def label(point: tuple[str, int, bool]) -> str:
    name, number, after = point
    return f"{name}-{number}-{'after' if after else 'before'}"


@pytest.mark.parametrize("point", POINTS, ids=label)
def test_a_stop_at_any_call_loses_nothing_and_does_nothing_twice(
    point: tuple[str, int, bool],
) -> None:
    name, number, after = point
    world = play(name, Fault(number, Kind.STOP_AFTER if after else Kind.STOP_BEFORE))
    world.recover()
    world.check()


FAILING = tuple(kind for kind in Kind if not kind.startswith("stop"))


@pytest.mark.parametrize("kind", FAILING)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_that_fails_or_is_repeated_loses_nothing_and_does_nothing_twice(
    name: str, kind: Kind
) -> None:
    seen = Fault()
    play(name, seen)
    for number, call in enumerate(seen.calls):
        world = play(name, Fault(number, kind))
        try:
            world.recover()
            world.check()
        except Exception as error:
            error.add_note(f"the call was {number}: {call}")
            raise


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_lost_answer_alone_changes_nothing(name: str) -> None:
    seen = Fault()
    expected = outline(play(name, seen))
    for number, call in enumerate(seen.calls):
        world = play(name, Fault(number, Kind.LOST))
        assert outline(world) == expected, f"the call was {number}: {call}"


DECIDING = ("store.put", "store.change")


@pytest.mark.parametrize("kind", [Kind.RAISES, Kind.RAISES_AFTER])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_store_that_fails_once_burns_no_attempt(name: str, kind: Kind) -> None:
    seen = Fault()
    expected = outline(play(name, seen))
    for number, call in enumerate(seen.calls):
        if call in DECIDING:
            world = play(name, Fault(number, kind))
            assert outline(world) == expected, f"the call was {number}: {call}"


def outline(world: World) -> list[tuple[object, ...]]:
    """Return what became of the tasks, before anything recovers them."""
    return [
        (
            *(task.state, task.attempts, task.uncounted, task.crashes, task.own_fault),
            *(task.error, task.not_before is None, task.finished_at, task.listed_at),
            [(record.number, record.error) for record in task.attempt_records],
            task.callback and (task.callback.state, task.callback.attempts),
            task.retried_as is not None,
        )
        for task in world.wiring.store.tasks.values()
    ]


def test_without_a_stop_every_scenario_ends_well() -> None:
    for name in SCENARIOS:
        world = play(name, Fault())
        world.recover()
        world.check()


def test_every_port_that_changes_something_is_among_the_points() -> None:
    called: set[str] = set()
    for name in SCENARIOS:
        seen = Fault()
        play(name, seen)
        called |= set(seen.calls)
    assert {
        "store.put",
        "store.change",
        "queue.send",
        "inbox.postpone",
        "blobs.put",
        "report_store.close",
        "sink_store.create",
        "sink_store.save",
        "cloudwatch_sink.publish",
        "report_topic.publish",
        "poster.post",
        "store.overdue",
        "callback_queue.send",
        "callback_store.waiting",
        "callback_store.handed_over",
        "callback_store.record",
        "callback_store.reopen",
        "callback_store.given_up",
        "callback_sender.post",
        "callback_inbox.postpone",
        "callback_inbox.dead_letter",
        "callback_dead_letter_box.remove",
        "store.delete",
        "store.deletions",
        "store.purge",
        "blobs.delete_under",
        "result_cache.forget",
    } <= called
