from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.domain.counts import Counts, FinishedTask, Series, tasks_in
from tandem.domain.report import Levels
from tandem.domain.task import Mode, State
from tandem.domain.window import Window
from tandem.processing.pool import BoundedPool
from tandem.services.report import Reports
from tandem.testing import FakeClock, MemoryReportStore, MemoryTaskStore
from tests.factories.tasks import NOON, finish_at, make_task

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


STEP = st.one_of(
    st.tuples(st.just("finish"), st.floats(-5, 5)),
    st.tuples(st.just("finish late"), st.floats(0, 240)),
    st.tuples(st.just("tick"), st.just(0.0)),
    st.tuples(st.just("doubled tick"), st.just(0.0)),
    st.tuples(st.just("overlapping ticks"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.floats(0, 300)),
)


@given(st.lists(STEP, max_size=40))
def test_whatever_the_schedule_every_finished_task_is_in_one_window_and_once_in_the_totals(
    steps: list[tuple[str, float]],
) -> None:
    """Ticks are missed, doubled, overlapping and late; workers' clocks are up to 5 s off."""
    world = World()
    world.clock.advance(timedelta(minutes=5))
    world.tick()
    finished: Counter[Window] = Counter()
    for kind, amount in steps:
        now = world.clock.now()
        if kind in {"finish", "finish late"}:
            moment = now + timedelta(seconds=amount if kind == "finish" else -amount)
            finish_at(world.tasks, make_task(min(moment, now)), moment)
            finished[Window.holding(moment)] += 1
        elif kind == "wait":
            world.clock.advance(amount)
        elif kind == "overlapping ticks":
            slow = world.reports.close_due()
            for _ in range(int(amount)):
                next(slow, None)
            world.tick()
            list(slow)
        else:
            for _ in range(2 if kind == "doubled tick" else 1):
                world.tick()
    world.clock.advance(80)
    while world.tick():
        pass
    totals = world.store.totals()
    assert totals is not None
    windows = [totals.closed_through.plus(-back) for back in range(400)]
    reports = world.store.reports(windows)
    assert tasks_in(totals.counts) == sum(finished.values())
    assert sum(report.tasks for report in reports) == sum(finished.values())
    assert sum((count.run.count for count in totals.counts.values()), 0) == sum(finished.values())
    by_window: Counter[Window] = Counter()
    for report in reports:
        by_window[report.window] += tasks_in(report.own)
        for window, missed in report.late.items():
            by_window[window] += tasks_in(missed)
    assert +by_window == finished
