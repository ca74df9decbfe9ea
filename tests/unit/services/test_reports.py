from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tandem.domain.counts import Count, Series
from tandem.domain.task import Mode, State
from tandem.domain.window import Window
from tandem.services.report import Reports
from tandem.testing import FakeClock, MemoryReportStore, MemoryTaskStore
from tests.factories.tasks import NOON, finish_at, make_task

ECHO = Series("echo", Mode.OFFLINE, State.SUCCEEDED)


class World:
    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.tasks = MemoryTaskStore()
        self.store = MemoryReportStore(self.tasks)
        self.reports = Reports(self.store, self.clock)

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
    assert totals.counts in ({ECHO: Count(1, 1)}, {})


def test_what_finished_before_the_first_run_is_counted() -> None:
    world = World()
    world.finish()
    world.clock.advance(timedelta(minutes=4))
    world.tick()
    totals = world.store.totals()
    assert totals is not None
    assert totals.counts == {ECHO: Count(1, 1)}


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
    assert (report.counts, report.own) == ({ECHO: Count(1, 1)}, {})
    assert report.late == {Window(NOON): {ECHO: Count(1, 1)}}
    assert report.durations == {}
    world.finish()
    world.clock.advance(60)
    world.clock.advance(60)
    later = list(world.reports.close_due())
    assert [one.counts for one in later] == [{ECHO: Count(1, 1)}, {}]
    totals = world.store.totals()
    assert totals is not None
    assert totals.counts == {ECHO: Count(2, 2)}


@given(
    st.lists(st.sampled_from(["finish", "finish late", "tick", "wait", "long wait"]), max_size=40)
)
def test_whatever_the_schedule_every_finished_task_is_in_one_window_and_once_in_the_totals(
    steps: list[str],
) -> None:
    world = World()
    world.clock.advance(timedelta(minutes=5))
    world.tick()
    finished = 0
    for step in steps:
        if step == "finish":
            world.finish()
            finished += 1
        elif step == "finish late":
            now = world.clock.now()
            finish_at(world.tasks, make_task(now), now - timedelta(seconds=100))
            finished += 1
        elif step == "tick":
            world.tick()
        else:
            world.clock.advance(25 if step == "wait" else 240)
    world.clock.advance(70)
    while world.tick():
        pass
    totals = world.store.totals()
    assert totals is not None
    counted = sum(count.tasks for count in totals.counts.values())
    windows = [totals.closed_through.plus(-back) for back in range(400)]
    in_windows = sum(
        count.tasks for report in world.store.reports(windows) for count in report.counts.values()
    )
    assert (counted, in_windows) == (finished, finished)
