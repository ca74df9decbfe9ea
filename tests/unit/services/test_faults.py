"""The process stops before and after every call that it makes; nothing is lost or done twice.

The points are not listed here: each scenario is run once to see its calls, and then once for each
of them. A new call of a port adds its points by itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from tandem.domain.task import Mode, State, Task
from tandem.processing import Permanent, TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.services.dead_letters import LetterFilter
from tandem.services.deliver import Redeliver
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.deliveries import delivery_of
from tests.factories.faults import Fault, FaultyWiring, Stopped
from tests.factories.processors import Number, make_processor, new_work
from tests.factories.tasks import ACME

TRANSIENT, REFUSED, LARGE = 1, 2, 3

LATER = timedelta(hours=2)


def work(data: Number, ctx: TaskContext) -> Number:
    ctx.progress(1)
    if data.value == TRANSIENT and ctx.attempt == 1:
        raise ConnectionError
    if data.value == REFUSED:
        raise Permanent("no")
    return Number(value=data.value, text="x" * 300_000 if data.value == LARGE else "")


class World:
    """The application before, while and after a process of it is stopped."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        catalogue = Catalogue([make_processor(work)])
        self.wiring = MemoryWiring(clock=self.clock, catalogue=catalogue)
        list(self.wiring.reports.close_due())

    def submit(self, wiring: MemoryWiring, value: int = 0) -> Task:
        return wiring.submissions.offline(new_work(wiring, b'{"value":%d}' % value))

    def deliver(self, wiring: MemoryWiring) -> None:
        for message in self.wiring.queue.receive():
            until = self.clock.now() + timedelta(seconds=100)
            with suppress(Redeliver):
                wiring.deliveries.handle(delivery_of(message), until=until)
                self.wiring.queue.delete(message)

    def recover(self) -> None:
        """Let time pass over a worker and a schedule that live."""
        for _ in range(200):
            self.wiring.sweep.run()
            self.deliver(self.wiring)
            list(self.wiring.reports.close_due())
            self.clock.advance(300)
            ended = all(task.state.final for task in self.wiring.store.tasks.values())
            if ended and not self.wiring.queue.messages:
                break
        self.clock.advance(120)
        while list(self.wiring.reports.close_due()):
            pass

    def check(self) -> None:
        """Assert that each task has exactly one end, in the store, the reports and the letters."""
        tasks = list(self.wiring.store.tasks.values())
        for task in tasks:
            assert task.state.final, task
            good = [one for one in task.history if one.ended_at and one.error is None]
            if task.state is State.SUCCEEDED:
                assert len(good) == 1
                assert task.history[-1] in good
                assert task.output is not None
                assert self.wiring.payloads.read(task.output).startswith(b'{"value":')
            else:
                assert good == []
            if task.state is State.FAILED and task.mode is Mode.OFFLINE:
                letters = [one.attributes.get("task_id") for one in self.wiring.queue.dead_letters]
                redriven = [one.retry_of for one in tasks]
                assert task.task_id in letters + redriven
        totals = self.wiring.report_store.totals()
        assert totals is not None
        assert sum(count.tasks for count in totals.counts.values()) == len(tasks)


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


def sweep_last_attempt(world: World, wiring: MemoryWiring) -> None:
    task = world.submit(world.wiring)
    world.wiring.queue.receive()
    for _ in range(3):
        until = world.clock.now() + timedelta(seconds=100)
        world.wiring.execution.claim(task.task_id, until=until)
        world.clock.advance(timedelta(minutes=1))
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
    wiring.dead_letters.redrive(
        LetterFilter(), limit=10, dry_run=False, requested_by="ops", traceparent="00-1"
    )


def report(world: World, wiring: MemoryWiring) -> None:
    world.submit(world.wiring)
    world.deliver(world.wiring)
    world.clock.advance(timedelta(minutes=3))
    list(wiring.reports.close_due())


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
}


def play(name: str, fault: Fault) -> World:
    world = World()
    with suppress(Stopped):
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
    world = play(name, Fault(number, after))
    world.recover()
    world.check()


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
        "inbox.dead_letter",
        "blobs.put",
        "report_store.close",
        "dead_letter_box.remove",
        "store.overdue",
    } <= called
