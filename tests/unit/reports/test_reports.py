from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tandem.processing.pool import BoundedPool
from tandem.reports.closing import Reports
from tandem.reports.counts import Counts, FinishedTask, Series, tasks_in
from tandem.reports.report import Levels
from tandem.reports.window import Window
from tandem.tasks.task import Mode, State
from tandem.testing import FakeClock, MemoryReportStore, MemoryTaskStore
from tandem_tools.harness.tasks import NOON, finish_at, make_task

ECHO = Series("echo", Mode.OFFLINE, State.SUCCEEDED)


def counted(counts: Counts) -> dict[Series, tuple[int, int]]:
    return {series: (count.tasks, count.attempts) for series, count in counts.items()}


class World:
    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.tasks = MemoryTaskStore()
        self.store = MemoryReportStore(self.tasks)
        self.reports = Reports(self.store, self.clock, pool=BoundedPool(2))

    def finish(self) -> None:
        now = self.clock.now()
        finish_at(self.tasks, make_task(now), now)

    def tick(self) -> list[Window]:
        return [report.window for report in self.reports.close_due()]


def test_a_second_run_of_the_same_minute_changes_nothing() -> None:
    world = World()
    world.finish()
    world.clock.advance(70)
    assert Window(NOON) in world.tick()
    totals = world.store.totals()
    assert world.tick() == []
    assert world.store.totals() == totals


def test_two_runs_at_once_close_each_window_once() -> None:
    world = World()
    world.finish()
    world.clock.advance(70)
    first, second = world.reports.close_due(), world.reports.close_due()
    closed = [report.window for pair in zip(first, second, strict=False) for report in pair]
    assert len(closed) == len(set(closed))
    totals = world.store.totals()
    assert totals is not None
    assert tasks_in(totals.counts) in {0, 1}


def test_a_run_whose_answers_are_lost_closes_its_windows_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK makes the same call again, and the run sees the second answer alone."""
    world = World()
    world.finish()
    world.clock.advance(190)
    close = world.store.close

    def lost(*arguments: Any, **options: Any) -> bool:
        close(*arguments, **options)
        return close(*arguments, **options)

    monkeypatch.setattr(world.store, "close", lost)
    assert world.tick()[-1] == Window(NOON).plus(2)
    totals = world.store.totals()
    assert totals is not None
    assert (totals.closed_through, counted(totals.counts)) == (Window(NOON).plus(2), {ECHO: (1, 1)})


def test_what_finished_before_the_first_run_is_counted() -> None:
    world = World()
    world.finish()
    world.clock.advance(timedelta(minutes=4))
    world.tick()
    totals = world.store.totals()
    assert totals is not None
    assert counted(totals.counts) == {ECHO: (1, 1)}


def test_reading_goes_back_from_the_last_closed_window() -> None:
    world = World()
    assert world.reports.latest(before=None, limit=5) == []
    world.clock.advance(70)
    world.tick()
    latest = world.reports.latest(before=None, limit=2)
    assert [report.window for report in latest] == [Window(NOON), Window(NOON).plus(-1)]
    older = world.reports.latest(before=Window(NOON).plus(-1), limit=2)
    assert [report.window for report in older] == [Window(NOON).plus(-2), Window(NOON).plus(-3)]
    assert world.reports.latest(before=Window(NOON).plus(100), limit=1) == latest[:1]


def test_what_comes_late_is_counted_once_in_the_window_that_is_closed_next() -> None:
    world = World()
    world.clock.advance(70)
    world.tick()
    finish_at(world.tasks, make_task(NOON), NOON + timedelta(seconds=30))
    world.clock.advance(60)
    (report,) = world.reports.close_due()
    assert (counted(report.counts), report.own) == ({ECHO: (1, 1)}, {})
    assert report.late == {Window(NOON): report.counts}
    assert report.durations == {}
    world.finish()
    world.clock.advance(60)
    world.clock.advance(60)
    later = list(world.reports.close_due())
    assert [counted(one.counts) for one in later] == [{ECHO: (1, 1)}, {}]
    totals = world.store.totals()
    assert totals is not None
    assert counted(totals.counts) == {ECHO: (2, 2)}


def test_what_did_not_come_late_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.finish()
    world.clock.advance(70)
    world.tick()
    read: list[Window] = []
    finished_in = world.store.finished_in

    def counted(window: Window, shard: int) -> Iterator[FinishedTask]:
        read.append(window)
        return finished_in(window, shard)

    monkeypatch.setattr(world.store, "finished_in", counted)
    monkeypatch.setattr(
        world.store,
        "count_finished_in",
        lambda window, shard: len(list(finished_in(window, shard))),
    )
    world.clock.advance(60)
    assert world.tick() == [Window(NOON).plus(1)]
    assert set(read) == {Window(NOON).plus(1)}


def test_the_levels_go_into_the_newest_window_alone() -> None:
    world = World()
    world.clock.advance(190)
    levels = Levels(
        waiting=1, delayed=2, in_flight=3, dead_letters=4, oldest_waiting_seconds=5.5, swept=6
    )
    *older, newest = world.reports.close_due(levels)
    assert newest.levels == levels
    assert older
    assert all(report.levels is None for report in older)


def test_an_index_that_shows_less_than_was_counted_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.finish()
    world.clock.advance(70)
    world.tick()
    with monkeypatch.context() as lagging:
        lagging.setattr(world.store, "finished_in", lambda *_: iter(()))
        world.clock.advance(60)
        (report,) = world.reports.close_due()
    assert (report.counts, report.late) == ({}, {})
    world.clock.advance(60)
    world.tick()
    totals = world.store.totals()
    assert totals is not None
    assert counted(totals.counts) == {ECHO: (1, 1)}


def test_an_index_that_shows_some_more_and_others_no_longer_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More tasks are counted than before, and yet a processor that was counted has fewer."""
    world = World()
    world.finish()
    world.clock.advance(70)
    world.tick()
    for _ in range(2):
        task = make_task(NOON, processor="shout")
        finish_at(world.tasks, task, NOON + timedelta(seconds=30))
    finished_in = world.store.finished_in

    def lagging(window: Window, shard: int) -> Iterator[FinishedTask]:
        return (task for task in finished_in(window, shard) if task.processor == "shout")

    with monkeypatch.context() as index:
        index.setattr(world.store, "finished_in", lagging)
        world.clock.advance(60)
        (report,) = world.reports.close_due()
    assert (report.counts, report.late) == ({}, {})
    totals = world.store.totals()
    assert totals is not None
    assert counted(totals.counts) == {ECHO: (1, 1)}
    world.clock.advance(60)
    world.tick()
    totals = world.store.totals()
    assert totals is not None
    shout = Series("shout", Mode.OFFLINE, State.SUCCEEDED)
    assert counted(totals.counts) == {ECHO: (1, 1), shout: (2, 2)}
