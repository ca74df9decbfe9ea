"""Whatever fails, hangs, stops or overlaps: every sink gets every window, in order."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.callbacks.ports import Unreachable
from tandem.limits import REPORT_RETENTION, SINK_CLAIM, SINK_TIME, SINK_WINDOWS_PER_RUN
from tandem.processing.pool import BoundedPool
from tandem.reports.closing import Reports
from tandem.reports.ports import ReportSink, SinkFailed, WindowRefused
from tandem.reports.publish import Publishing
from tandem.reports.report import Report, Totals
from tandem.reports.sink import SinkCursor, SinkState
from tandem.reports.window import Window
from tandem.telemetry import logger
from tandem.testing import (
    FakeClock,
    MemoryReportStore,
    MemorySink,
    MemorySinkStore,
    MemoryTaskStore,
)
from tandem_tools.harness.tasks import NOON, finish_at, make_task
from tests.factories.faults import Stopped


class AtOnce(BoundedPool):
    """Runs what it is given where it is given, so that a test says what happens when.

    Where the process is stopped, nothing else of it goes on.
    """

    def submit[T](self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class World:
    """Reports of a store, and what sends them."""

    def __init__(self, *sinks: ReportSink, pool: BoundedPool | None = None) -> None:
        self.clock = FakeClock(NOON)
        self.tasks = MemoryTaskStore()
        self.store = MemoryReportStore(self.tasks)
        self.cursors: MemorySinkStore = MemorySinkStore()
        self.reports = Reports(self.store, self.clock, pool=BoundedPool(1))
        self.pool = pool or AtOnce(1)
        self.publishing = self.publishing_to(*sinks)

    def publishing_to(self, *sinks: ReportSink, **options: Any) -> Publishing:
        return Publishing(
            sinks,
            self.cursors,
            self.store,
            self.clock,
            pool=self.pool,
            logger=logger,
            **options,
        )

    def finish(self) -> None:
        now = self.clock.now()
        finish_at(self.tasks, make_task(now), now)

    def run(self) -> tuple[SinkState, ...]:
        """Do what the function does each minute."""
        states = self.publishing.begin(self.reports.before_next())
        list(self.reports.close_due(None, states))
        return self.publishing.run()

    def minutes(self, number: int) -> tuple[SinkState, ...]:
        states: tuple[SinkState, ...] = ()
        for _ in range(number):
            self.clock.advance(60)
            states = self.run()
        return states

    def closed(self) -> list[Window]:
        totals = self.store.totals()
        assert totals is not None
        windows = [totals.closed_through.plus(-back) for back in range(400)]
        return sorted(report.window for report in self.store.reports(windows))


def windows_of(sink: MemorySink) -> list[Window]:
    return [report.window for report, _ in sink.published]


def test_every_sink_gets_every_window_once_and_in_order_when_all_goes_well() -> None:
    first, second = MemorySink("first"), MemorySink("second")
    world = World(first, second)
    states = world.minutes(5)
    assert windows_of(first) == windows_of(second) == world.closed()
    assert [(one.name, one.windows_behind, one.error) for one in states] == [
        ("first", 0, None),
        ("second", 0, None),
    ]


def test_a_sink_that_is_new_gets_what_is_closed_from_then_on() -> None:
    old, new = MemorySink("old"), MemorySink("new")
    world = World(old)
    world.minutes(3)
    before = world.closed()
    world.publishing = world.publishing_to(old, new)
    world.minutes(2)
    assert windows_of(new) == world.closed()[len(before) :]
    assert windows_of(old) == world.closed()


def test_a_new_sink_whose_first_run_is_stopped_after_closing_still_gets_those_windows() -> None:
    sink = MemorySink()
    world = World(sink)
    world.clock.advance(70)
    world.publishing.begin(world.reports.before_next())
    list(world.reports.close_due())
    world.minutes(1)
    assert windows_of(sink) == world.closed()


def test_one_that_fails_stops_neither_the_others_nor_the_next_window(log: StringIO) -> None:
    bad, good = MemorySink("bad"), MemorySink("good")
    world = World(bad, good)
    bad.errors = [SinkFailed("it answered 503")] * 3
    states = {one.name: one for one in world.minutes(3)}
    assert windows_of(good) == world.closed()
    assert windows_of(bad) == []
    assert states["bad"].windows_behind == len(world.closed())
    assert (states["bad"].failures, states["bad"].error) == (3, "it answered 503")
    assert states["bad"].failing_since == NOON + timedelta(minutes=1)
    assert '"report not sent"' in log.getvalue()
    (recovered, _) = world.minutes(1)
    assert windows_of(bad) == world.closed()
    assert (recovered.windows_behind, recovered.failures, recovered.error) == (0, 0, None)
    assert recovered.failing_since is None


def test_a_failure_shows_in_the_next_report() -> None:
    sink = MemorySink("webhook")
    world = World(sink)
    world.minutes(2)
    sink.errors = [SinkFailed("it answered 503")]
    world.minutes(2)
    during, after = world.store.reports(world.closed()[-2:])[::-1]
    assert during.sinks is not None
    assert after.sinks is not None
    assert [(one.windows_behind, one.failures) for one in during.sinks] == [(0, 0)]
    (state,) = after.sinks
    assert (state.windows_behind, state.failures, state.error) == (1, 1, "it answered 503")
    assert state.published_through == during.window.plus(-1)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (Unreachable("no answer within 8 s"), "no answer within 8 s"),
        (ValueError("https://user:password@example.com"), "ValueError"),
        (SinkFailed("x" * 1000), "x" * 200),
    ],
)
def test_what_is_shown_of_an_error_is_short_and_holds_no_text_of_unknown_origin(
    error: Exception, shown: str, log: StringIO
) -> None:
    sink = MemorySink()
    sink.errors = [error]
    (state,) = World(sink).minutes(1)
    assert state.error == shown
    assert "password" not in log.getvalue()


def test_a_window_that_is_refused_for_good_is_left_out_and_the_sink_counts_as_failing() -> None:
    sink = MemorySink()
    world = World(sink)
    world.minutes(2)
    sink.errors = [WindowRefused("it answered 400")]
    (state,) = world.minutes(1)
    assert (state.windows_behind, state.failures, state.error) == (0, 1, "it answered 400")
    (state,) = world.minutes(1)
    assert (state.failures, state.error) == (0, None)
    closed = world.closed()
    assert windows_of(sink) == [*closed[:-2], closed[-1]]


def test_a_sink_that_was_away_catches_up_a_bounded_number_of_windows_in_each_run() -> None:
    sink = MemorySink()
    world = World(sink)
    world.minutes(1)
    sink.errors = [SinkFailed("away")] * (SINK_WINDOWS_PER_RUN + 20)
    world.minutes(SINK_WINDOWS_PER_RUN + 20)
    before = len(sink.published)
    world.minutes(1)
    assert len(sink.published) - before == SINK_WINDOWS_PER_RUN
    world.minutes(1)
    assert windows_of(sink) == world.closed()


class Slow(MemorySink):
    """Takes its time for each window."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__("slow")
        self._clock = clock
        self._seconds = seconds

    def publish(self, report: Report, totals: Totals) -> None:
        self._clock.advance(self._seconds)
        super().publish(report, totals)


def test_a_slow_sink_is_sent_nothing_more_when_the_runs_time_is_over() -> None:
    world = World(MemorySink("slow"))
    world.publishing.begin(world.reports.before_next())
    world.clock.advance(timedelta(minutes=30))
    slow = Slow(world.clock, 8)
    world.publishing = world.publishing_to(slow)
    (state,) = world.run()
    assert len(slow.published) == -(-SINK_TIME.total_seconds() // 8)
    assert state.failures == 0
    while state.windows_behind:
        (state,) = world.run()
    assert windows_of(slow) == world.closed()


class Hanging(MemorySink):
    """Never ends, until it is told to."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.begun, self.end = Event(), Event()

    def publish(self, report: Report, totals: Totals) -> None:
        self.begun.set()
        self.end.wait(30)
        super().publish(report, totals)


def test_one_that_hangs_stops_neither_the_others_nor_the_run_and_moves_nothing_later(
    log: StringIO,
) -> None:
    hanging, good = Hanging(), MemorySink("good")
    world = World(pool=BoundedPool(2))
    world.publishing = world.publishing_to(hanging, good, patience=timedelta(seconds=0.5))
    world.clock.advance(60)
    states = {one.name: one for one in world.run()}
    assert windows_of(good) == world.closed()
    assert hanging.begun.is_set()
    assert (states["hanging"].failures, states["hanging"].windows_behind) == (1, 5)
    assert '"sink hangs"' in log.getvalue()
    hanging.end.set()
    for _ in range(100):
        if hanging.published:
            break
        Event().wait(0.02)
    Event().wait(0.05)
    cursor = world.cursors.cursors(["hanging"])["hanging"]
    assert cursor.published_through == world.closed()[0].plus(-1)
    world.minutes(1)
    assert windows_of(hanging)[1:] == world.closed()
    world.pool.close()


def test_windows_older_than_reports_are_kept_are_left_out_and_that_is_logged(
    log: StringIO,
) -> None:
    sink = MemorySink()
    world = World(sink)
    world.minutes(1)
    world.clock.advance(REPORT_RETENTION + timedelta(days=1))
    cursor = world.cursors.cursors(["memory"])["memory"]
    newest = Window.holding(world.clock.now()).plus(-1)
    assert world.store.totals() is not None
    # What was closed meanwhile: only the last two are still there.
    for window in (newest.plus(-1), newest):
        close(world, window)
    (state,) = world.publishing.run()
    while state.windows_behind:
        (state,) = world.publishing.run()
    assert windows_of(sink)[-2:] == [newest.plus(-1), newest]
    assert '"reports left out"' in log.getvalue()
    assert cursor.published_through.name in log.getvalue()


def close(world: World, window: Window) -> None:
    """Close a window, however long the one before is ago."""
    totals = world.store.totals()
    assert totals is not None
    report = Report(window, world.clock.now(), {}, {})
    assert world.store.close(
        report, totals.including(report), previous=totals.closed_through, closing=window.name
    )


def test_totals_are_those_of_the_window_however_late_it_is_sent() -> None:
    prompt, late = MemorySink("prompt"), MemorySink("late")
    world = World(prompt, late)
    late.errors = [SinkFailed("away")] * 4
    for _ in range(6):
        world.finish()
        world.minutes(1)
    assert late.published == prompt.published
    _, last = late.published[-1]
    assert last == world.store.totals()


class LosingAnswers(MemorySinkStore):
    """Each call is made twice, as by the SDK after a lost answer: the caller sees the second."""

    def create(self, cursor: SinkCursor) -> None:
        super().create(cursor)
        super().create(cursor)

    def save(self, cursor: SinkCursor, *, writer: str) -> SinkCursor | None:
        super().save(cursor, writer=writer)
        return super().save(cursor, writer=writer)


def test_a_run_whose_answers_are_lost_sends_each_window_once_and_at_once() -> None:
    sink = MemorySink()
    world = World(sink)
    world.cursors = LosingAnswers()
    world.publishing = world.publishing_to(sink)
    for _ in range(3):
        (state,) = world.minutes(1)
        assert (state.windows_behind, state.failures) == (0, 0)
        assert windows_of(sink) == world.closed()
    sink.errors = [SinkFailed("it answered 503")]
    (state,) = world.minutes(1)
    assert (state.windows_behind, state.failures) == (1, 1)


class RefusingOne(MemorySinkStore):
    """Cannot write the cursor of one sink."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self.refused: str | None = refused

    def create(self, cursor: SinkCursor) -> None:
        self._check(cursor)
        super().create(cursor)

    def save(self, cursor: SinkCursor, *, writer: str) -> SinkCursor | None:
        self._check(cursor)
        return super().save(cursor, writer=writer)

    def _check(self, cursor: SinkCursor) -> None:
        if cursor.sink == self.refused:
            raise ConnectionError("hunter2")


def test_a_sink_that_cannot_be_begun_stops_no_other(log: StringIO) -> None:
    names = [f"sink-{number}" for number in range(8)]
    sinks = [MemorySink(name) for name in names]
    world = World()
    world.cursors = cursors = RefusingOne("sink-3")
    world.publishing = world.publishing_to(*sinks)
    world.clock.advance(60)
    with pytest.raises(ExceptionGroup) as raised:
        world.publishing.begin(world.reports.before_next())
    assert [type(error) for error in raised.value.exceptions] == [ConnectionError]
    assert cursors.cursors(names).keys() == set(names) - {"sink-3"}
    assert '"sink not begun"' in log.getvalue()
    assert "hunter2" not in log.getvalue()
    cursors.refused = None
    world.run()
    assert [windows_of(sink) for sink in sinks] == [world.closed()] * 8


def test_that_a_sink_hangs_is_recorded_though_it_cannot_be_of_another(log: StringIO) -> None:
    first, second = Hanging(), Hanging()
    first.name, second.name = "first", "second"
    world = World(pool=BoundedPool(2))
    world.cursors = cursors = RefusingOne("nobody")
    world.publishing = world.publishing_to(first, second, patience=timedelta(seconds=0.5))
    world.clock.advance(60)
    world.publishing.begin(world.reports.before_next())
    list(world.reports.close_due())

    def refuse_then_wait() -> None:
        assert first.begun.wait(10)
        assert second.begun.wait(10)
        cursors.refused = "first"

    with ThreadPoolExecutor(1) as thread:
        refused = thread.submit(refuse_then_wait)
        with pytest.raises(ExceptionGroup):
            world.publishing.run()
        refused.result()
    failures = {name: one.failures for name, one in cursors.cursors(["first", "second"]).items()}
    assert failures == {"first": 0, "second": 1}
    assert log.getvalue().count('"sink hangs"') == 2
    assert "hunter2" not in log.getvalue()
    for sink in (first, second):
        sink.end.set()
    world.pool.close()


# --- Any schedule ------------------------------------------------------------------------------


class Scripted(MemorySink):
    """Does with each window what its script says; at its end, it takes what it is sent."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.script: list[tuple[str, Callable[[], None] | None]] = []

    def publish(self, report: Report, totals: Totals) -> None:
        what, deed = self.script.pop(0) if self.script else ("take", None)
        if deed is not None:
            deed()
        if what == "stop before":
            raise Stopped
        if what == "fail before":
            raise SinkFailed("down")
        self.published.append((report, totals))
        if what == "stop after":
            raise Stopped
        if what == "fail after":
            raise SinkFailed("its answer was lost")


NAMES = ("first", "second")
ACTS = ("take", "fail before", "fail after", "stop before", "stop after", "overlap", "outlive")
STEP = st.one_of(
    st.just(("finish",)),
    st.tuples(st.just("run"), st.floats(0, 200)),
    st.tuples(st.just("script"), st.sampled_from(NAMES), st.lists(st.sampled_from(ACTS))),
)


def act(world: World, what: str) -> tuple[str, Callable[[], None] | None]:
    """Return what a sink does, and what happens meanwhile."""

    def overlap() -> None:
        with suppress(Stopped):
            world.run()

    def outlive() -> None:
        """Another run comes when this one's claim is over."""
        world.clock.advance(SINK_CLAIM + timedelta(seconds=1))
        overlap()

    actions = {"overlap": overlap, "outlive": outlive}
    return ("take", actions[what]) if what in actions else (what, None)


def test_a_run_that_overlaps_sends_nothing_to_a_sink_that_another_one_sends_to() -> None:
    sink = Scripted("first")
    world = World(sink)
    sink.script = [act(world, "overlap")] * 8
    world.minutes(4)
    assert windows_of(sink) == world.closed()


def test_a_run_takes_over_from_one_that_outlived_its_claim_and_that_one_moves_nothing() -> None:
    sink = Scripted("first")
    world = World(sink)
    world.minutes(1)
    before = len(sink.published)
    sink.script = [act(world, "outlive")]
    world.minutes(3)
    closed = world.closed()
    assert windows_of(sink)[before:].count(closed[before]) == 2
    assert list(dict.fromkeys(windows_of(sink))) == closed


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=30))
def test_whatever_happens_every_sink_gets_every_window_and_knows_those_it_gets_again(
    steps: list[tuple[Any, ...]],
) -> None:
    """Sinks fail, processes stop, runs overlap and outlive their claims, answers get lost."""
    logger.setLevel("CRITICAL")
    sinks = {name: Scripted(name) for name in NAMES}
    world = World(*sinks.values())
    troubles = {
        one
        for step in steps
        if step[0] == "script"
        for one in step[2]
        if one in {"fail after", "stop before", "stop after", "outlive"}
    }
    for kind, *rest in steps:
        if kind == "finish":
            world.finish()
        elif kind == "script":
            name, acts = rest
            sinks[name].script += [act(world, one) for one in acts]
        else:
            world.clock.advance(rest[0])
            with suppress(Stopped):
                world.run()
    for sink in sinks.values():
        sink.script = []
    states: tuple[SinkState, ...] = ()
    for _ in range(4):
        states = world.minutes(1)
    logger.setLevel("INFO")
    closed = world.closed()
    assert [one.windows_behind for one in states] == [0, 0]
    for sink in sinks.values():
        seen = windows_of(sink)
        first_seen = list(dict.fromkeys(seen))
        assert first_seen == closed
        if not troubles:
            assert seen == closed
        by_window = {report.window: (report, totals) for report, totals in sink.published}
        assert all(one == by_window[one[0].window] for one in sink.published)
        assert sum(report.tasks for report, _ in by_window.values()) == len(world.tasks.tasks)
        assert sink.published[-1][1] == world.store.totals()
