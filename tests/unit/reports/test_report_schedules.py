"""Whatever its ticks do, every finished task is in one window and once in the totals."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tandem.ids import TaskId
from tandem.processing.pool import BoundedPool
from tandem.reports.closing import Reports
from tandem.reports.counts import FinishedTask, Series, tasks_in
from tandem.reports.report import Report, Totals
from tandem.reports.window import Window
from tandem.tasks.task import Mode
from tandem.testing import FakeClock, MemoryReportStore, MemoryTaskStore
from tandem_tools.harness.tasks import NOON, finish_at, make_task

SKEW_SECONDS = st.sampled_from([-5.0, 0.0, 5.0]) | st.floats(-5, 5)
LAG_SECONDS = st.sampled_from([0.0, 0.0, 55.0])
LATE_SECONDS = st.floats(0, 240)


@dataclass(frozen=True)
class Tick:
    """One run of the report function, as the world is for it."""

    skew_seconds: float
    """How far its clock is off: the next one's may go back."""
    lag_seconds: float
    """How far the index is behind for it: the next one may see less."""


@dataclass
class World:
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    tasks: MemoryTaskStore = field(default_factory=MemoryTaskStore)
    pool: BoundedPool = field(default_factory=lambda: BoundedPool(2))
    recorded: dict[TaskId, datetime] = field(default_factory=dict)
    """When each end was written."""
    finished: Counter[Window] = field(default_factory=Counter)
    totals: Counter[Series] = field(default_factory=Counter)
    closed: dict[Window, Report] = field(default_factory=dict)
    """Both as they were when they were last looked at."""

    def __post_init__(self) -> None:
        self.store = MemoryReportStore(self.tasks)

    def finish(self, seconds_ago: float, mode: Mode = Mode.OFFLINE) -> None:
        """Record now that a task ended then, by its worker's clock."""
        now = self.clock.now()
        moment = now - timedelta(seconds=seconds_ago)
        task = make_task(min(moment, now), mode=mode)
        finish_at(self.tasks, task, moment)
        self.recorded[task.task_id] = now
        self.finished[Window.holding(moment)] += 1

    def run(self, tick: Tick, meanwhile: Callable[[], object] = lambda: None) -> Iterator[Report]:
        """Return a run, each of whose steps closes a window; `meanwhile` is before the first."""
        clock = FakeClock(self.clock.now() + timedelta(seconds=tick.skew_seconds))
        return Reports(Seen(self, tick, meanwhile), clock, pool=self.pool).close_due()

    def tick(self, tick: Tick) -> list[Report]:
        closed = list(self.run(tick))
        self.look()
        return closed

    def look(self) -> None:
        """Require what holds after every run."""
        totals = self.store.totals()
        counts = totals.counts if totals else {}
        seen = Counter({series: count.tasks for series, count in counts.items()})
        assert seen >= self.totals, "Prometheus takes them for counters: they never go back"
        self.totals = seen
        windows = self.store.windows
        assert all(windows[window] == report for window, report in self.closed.items())
        assert all(window.end <= self.clock.now() for window in windows), "closed while open"
        assert totals is None or totals.closed_through == max(windows)
        self.closed = dict(windows)


@dataclass
class Seen:
    """The report store as one run sees it."""

    world: World
    tick: Tick
    meanwhile: Callable[[], object]

    @property
    def shards(self) -> int:
        return self.world.store.shards

    def finished_in(self, window: Window, shard: int) -> Iterator[FinishedTask]:
        seen_until = self.world.clock.now() - timedelta(seconds=self.tick.lag_seconds)
        for task in self.world.store.finished_in(window, shard):
            if self.world.recorded[task.task_id] <= seen_until:
                yield task

    def count_finished_in(self, window: Window, shard: int) -> int:
        return sum(1 for _ in self.finished_in(window, shard))

    def totals(self) -> Totals | None:
        return self.world.store.totals()

    def close(
        self, report: Report, totals: Totals, *, previous: Window | None, closing: str
    ) -> bool:
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        return self.world.store.close(report, totals, previous=previous, closing=closing)

    def reports(self, windows: list[Window]) -> list[Report]:
        return self.world.store.reports(windows)


type Step = Callable[[World], object]

TICKS = st.builds(Tick, SKEW_SECONDS, LAG_SECONDS)


def doubled(first: Tick, second: Tick) -> Step:
    return lambda world: (world.tick(first), world.tick(second))


def overlapping(slow: Tick, windows: int, other: Tick) -> Step:
    """One run goes on where it was after another has closed everything."""

    def step(world: World) -> None:
        run = world.run(slow)
        list(islice(run, windows))
        world.tick(other)
        list(run)
        world.look()

    return step


def overtaken(slow: Tick, other: Tick) -> Step:
    """Another run does everything between what a run reads and what it writes."""

    def step(world: World) -> None:
        list(world.run(slow, meanwhile=lambda: world.tick(other)))
        world.look()

    return step


def recorded_while_closing(tick: Tick, seconds_ago: float) -> Step:
    """A task's end is written after the run has read the index, and before it closes."""

    def step(world: World) -> None:
        list(world.run(tick, meanwhile=lambda: world.finish(seconds_ago)))
        world.look()

    return step


def cut_short(tick: Tick, windows: int) -> Step:
    """The function is killed after it has closed some windows."""

    def step(world: World) -> None:
        list(islice(world.run(tick), windows))
        world.look()

    return step


def seen_and_not_seen(seconds_ago: float, windows: int, skew_seconds: float) -> Step:
    """A late end is counted by a run that is cut short, and the next one's index lacks it."""

    def step(world: World) -> None:
        world.finish(seconds_ago)
        cut_short(Tick(0, 0), windows)(world)
        world.tick(Tick(skew_seconds, 55))

    return step


def waiting(seconds: float) -> Step:
    return lambda world: world.clock.advance(seconds)


STEP: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda skew: lambda world: world.finish(skew), SKEW_SECONDS),
    st.builds(lambda late: lambda world: world.finish(late, Mode.ONLINE), LATE_SECONDS),
    st.builds(waiting, st.floats(0, 300)),
    st.builds(lambda tick: lambda world: world.tick(tick), TICKS),
    st.builds(doubled, TICKS, TICKS),
    st.builds(overlapping, TICKS, st.integers(0, 3), TICKS),
    st.builds(overtaken, TICKS, TICKS),
    st.builds(recorded_while_closing, TICKS, LATE_SECONDS),
    st.builds(cut_short, TICKS, st.integers(1, 3)),
    st.builds(seen_and_not_seen, LATE_SECONDS, st.integers(1, 3), SKEW_SECONDS),
)


@settings(deadline=None)  # it would measure the machine
@given(st.lists(STEP, max_size=40))
@example([waiting(130), seen_and_not_seen(150, 1, 0)])
def test_every_finished_task_is_in_one_window_and_once_in_the_totals(steps: list[Step]) -> None:
    """Ticks are missed, doubled, overlapping, late and cut short; all clocks are up to 5 s off."""
    world = World()
    world.clock.advance(timedelta(minutes=5))
    world.tick(Tick(0, 0))
    for step in steps:
        step(world)
    world.clock.advance(100)
    while world.tick(Tick(0, 0)):
        pass
    totals = world.store.totals()
    assert totals is not None
    reports = sorted(world.store.windows.values(), key=lambda report: report.window)
    assert tasks_in(totals.counts) == world.finished.total()
    assert sum(report.tasks for report in reports) == world.finished.total()
    runs = sum(count.run.count for count in totals.counts.values())
    assert runs == world.finished.total()
    by_window: Counter[Window] = Counter()
    for report in reports:
        by_window[report.window] += tasks_in(report.own)
        for window, missed in report.late.items():
            by_window[window] += tasks_in(missed)
    assert +by_window == world.finished
    windows = [report.window for report in reports]
    assert windows == [windows[0].plus(number) for number in range(len(windows))]
