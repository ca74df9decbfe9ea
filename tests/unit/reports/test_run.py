"""One run of the report: whatever fails, all else is done, and the run fails at its end."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest

from tandem.reports.report import Levels, Report
from tandem.reports.run import RunFailed, run
from tandem.reports.window import Window
from tandem.tasks.task import State
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import double, make_wiring, new_work

HOOK = "https://hooks.example.com/tandem"


class World:
    """A minute with a task that ended, one that is overdue, and a callback that waits."""

    def __init__(self) -> None:
        self.wiring: MemoryWiring = make_wiring(double)
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock
        self.overdue = self.wiring.submissions.offline(new_work(self.wiring))
        self.wiring.queue.messages.clear()
        self.clock.advance(timedelta(hours=1))
        list(self.wiring.reports.close_due())
        self.wiring.submissions.offline(new_work(self.wiring, callback_url=HOOK))
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(self.wiring.callback_queue, "send", failing)
            deliver_all(self.wiring)
        self.clock.advance(130)

    @property
    def published(self) -> list[Report]:
        return [report for report, _ in self.wiring.cloudwatch_sink.published]

    @property
    def levels(self) -> Levels | None:
        return self.published[-1].levels


def failing(*_: object, **__: object) -> Any:
    raise ConnectionError("hunter2")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tandem/test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report")
    return World()


def emitted(printed: str) -> dict[str, Any]:
    """Return what is emitted of the run itself."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    whole = [line for line in lines if "_aws" in line and "sink" not in line]
    return {name: value for line in whole for name, value in line.items()}


def test_a_run_sweeps_closes_sends_and_hands_over(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(world.wiring)
    assert done["closed"] == [report.window.name for report in world.published]
    assert (done["swept"], done["callbacks"]) == ({"sent-again": 1}, 1)
    assert sum(report.tasks for report in world.published) == 1
    assert world.levels is not None
    assert (world.levels.swept, world.levels.waiting, world.levels.complete) == (1, 1, True)
    written = emitted(capsys.readouterr().out)
    assert (written["TasksSwept"], written["SinkWindowsBehind"]) == ([1.0], [0.0])


BROKEN: list[tuple[str, Callable[[MemoryWiring], object], str]] = [
    ("sweep", lambda wiring: wiring.store, "overdue"),
    ("sinks", lambda wiring: wiring.sink_store, "create"),
    ("levels", lambda wiring: wiring.queue, "depth"),
    ("levels", lambda wiring: wiring.queue, "count"),
    ("levels", lambda wiring: wiring.store, "oldest_waiting"),
    ("callbacks", lambda wiring: wiring.callback_store, "waiting"),
    ("callbacks", lambda wiring: wiring.callback_store, "handed_over"),
    ("callbacks", lambda wiring: wiring.callback_queue, "send"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=[one[2] for one in BROKEN])
def test_whatever_fails_the_report_is_closed_and_sent_and_the_run_fails(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    log: StringIO,
    broken: tuple[str, Callable[[MemoryWiring], object], str],
) -> None:
    step, port, call = broken
    if step != "sinks":
        world.wiring.publishing.begin(world.wiring.reports.before_next())
    monkeypatch.setattr(port(world.wiring), call, failing)
    with pytest.raises(RunFailed, match=f"^failed: {step}$"):
        run(world.wiring)
    totals = world.wiring.report_store.totals()
    assert totals is not None
    assert totals.closed_through == Window.holding(world.clock.now()).plus(-1)
    if step != "sinks":  # one that is new, and has no cursor, gets what is closed from then on
        assert world.published[-1].window == totals.closed_through
    if step != "sweep":
        assert world.wiring.store.tasks[world.overdue.task_id].sweeps == 1
    if step != "callbacks":
        assert len(world.wiring.callback_queue.messages) == 1
    assert "ConnectionError" in log.getvalue()
    assert "hunter2" not in log.getvalue()


def test_what_could_not_be_read_is_unknown_and_the_rest_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for port, call in ((world.wiring.queue, "depth"), (world.wiring.store, "overdue")):
        monkeypatch.setattr(port, call, failing)
    with pytest.raises(RunFailed, match=r"^failed: sweep, levels$"):
        run(world.wiring)
    assert world.levels == Levels(
        waiting=None,
        delayed=None,
        in_flight=None,
        dead_letters=0,
        oldest_waiting_seconds=world.levels and world.levels.oldest_waiting_seconds,
        swept=None,
    )
    assert world.levels.oldest_waiting_seconds is not None
    written = emitted(capsys.readouterr().out)
    assert "TasksSwept" not in written
    assert written["SinkWindowsBehind"] == [0.0]


def test_a_shard_that_cannot_be_read_leaves_unknown_what_waits_for_longest_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest_waiting = world.wiring.store.oldest_waiting

    def one_fails(shard: int, now: datetime) -> datetime | None:
        return failing() if shard == 1 else oldest_waiting(shard, now)

    monkeypatch.setattr(type(world.wiring.store), "shards", 3)
    monkeypatch.setattr(world.wiring.store, "oldest_waiting", one_fails)
    levels = world.wiring.levels.read(swept=2)
    assert (levels.oldest_waiting_seconds, levels.complete) == (None, False)
    assert (levels.waiting, levels.dead_letters, levels.swept) == (0, 0, 2)


def test_nothing_waits_for_0_seconds() -> None:
    assert make_wiring(double).levels.read(swept=0).oldest_waiting_seconds == 0


def test_windows_that_were_closed_before_one_failed_are_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, closed = world.wiring.report_store.close, []

    def second_fails(report: Report, *arguments: Any, **options: Any) -> bool:
        if closed:
            failing()
        closed.append(report.window)
        return close(report, *arguments, **options)

    monkeypatch.setattr(world.wiring.report_store, "close", second_fails)
    with pytest.raises(RunFailed, match=r"^failed: reports$"):
        run(world.wiring)
    assert [report.window for report in world.published] == closed
    assert world.wiring.store.tasks[world.overdue.task_id].state is State.QUEUED
    assert len(world.wiring.callback_queue.messages) == 1


def test_a_run_after_one_that_failed_makes_up_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        for port in ("overdue", "oldest_waiting"):
            broken.setattr(world.wiring.store, port, failing)
        broken.setattr(world.wiring.report_store, "totals", failing)
        broken.setattr(world.wiring.callback_queue, "send", failing)
        with pytest.raises(RunFailed) as raised:
            run(world.wiring)
    failed = "sweep, sinks, levels, reports, publishing, callbacks, purge"
    assert str(raised.value) == f"failed: {failed}"
    assert world.published == []
    done = run(world.wiring)
    assert (done["swept"], done["callbacks"]) == ({"sent-again": 1}, 1)
    assert sum(report.tasks for report in world.published) == 1
