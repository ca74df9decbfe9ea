from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.domain.counts import Count, FinishedTask, Series
from tandem.domain.report import Percentiles, Totals, compile_report
from tandem.domain.task import Mode, State
from tandem.domain.window import Window, windows_to_close
from tests.factories.tasks import ACME, NOON, make_task

FIRST = Window(NOON)
GRACE = timedelta(seconds=10)


def finished(outcome: State = State.SUCCEEDED, *, wait: float = 1, run: float = 2) -> FinishedTask:
    started = NOON + timedelta(seconds=wait)
    return FinishedTask(
        task_id=make_task().task_id,
        tenant=ACME,
        processor="echo",
        mode=Mode.OFFLINE,
        outcome=outcome,
        attempts=2,
        created_at=NOON,
        started_at=started,
        attempt_started_at=started,
        finished_at=started + timedelta(seconds=run),
    )


def test_a_window_is_one_whole_minute() -> None:
    window = Window.holding(NOON + timedelta(seconds=59, milliseconds=999))
    assert window == FIRST
    assert window.end == NOON + timedelta(minutes=1)
    assert Window.holding(window.end) == window.plus(1)
    assert Window.named(window.name) == window


def test_a_report_counts_by_processor_mode_and_outcome() -> None:
    tasks = [finished(), finished(), finished(State.FAILED)]
    report = compile_report(FIRST, tasks, NOON)
    assert report.counts == {
        Series("echo", Mode.OFFLINE, State.SUCCEEDED): Count(2, 4),
        Series("echo", Mode.OFFLINE, State.FAILED): Count(1, 2),
    }


def test_an_empty_window_is_a_report_too() -> None:
    report = compile_report(FIRST, [], NOON)
    assert (report.counts, report.durations) == ({}, {})


def test_durations_are_nearest_rank_percentiles() -> None:
    tasks = [finished(wait=n, run=n * 10) for n in range(1, 101)]
    durations = compile_report(FIRST, tasks, NOON).durations["echo"]
    assert durations.queue_wait == Percentiles(50, 95, 99)
    assert durations.run == Percentiles(500, 950, 990)


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float]) -> None:
    percentiles = Percentiles.of(values)
    assert percentiles is not None
    for percent, value in ((50, percentiles.p50), (95, percentiles.p95), (99, percentiles.p99)):
        assert value in values
        assert sum(one <= value for one in values) * 100 >= percent * len(values)
        assert sum(one < value for one in values) * 100 < percent * len(values)


def test_totals_add_up() -> None:
    report = compile_report(FIRST, [finished(), finished(State.FAILED)], NOON)
    totals = Totals(FIRST, {}).including(report).including(report)
    assert totals.counts[Series("echo", Mode.OFFLINE, State.SUCCEEDED)] == Count(2, 4)
    assert totals.closed_through == FIRST


def due(last: Window | None, seconds_after_noon: float, most: int = 60) -> list[Window]:
    now = NOON + timedelta(seconds=seconds_after_noon)
    return list(windows_to_close(last, now, grace=GRACE, most=most, first_run_reach=2))


@pytest.mark.parametrize(("seconds", "closed"), [(59, 0), (69.999, 0), (70, 1), (129, 1), (130, 2)])
def test_a_window_is_due_when_its_grace_is_over(seconds: float, closed: int) -> None:
    assert due(FIRST.plus(-1), seconds) == [FIRST.plus(n) for n in range(closed)]


def test_missed_windows_are_caught_up_in_order_and_bounded() -> None:
    assert due(FIRST, 600, most=3) == [FIRST.plus(1), FIRST.plus(2), FIRST.plus(3)]


def test_the_first_run_reaches_back() -> None:
    assert due(None, 70) == [FIRST.plus(-1), FIRST]


def test_a_clock_that_went_back_closes_nothing() -> None:
    assert due(FIRST.plus(5), 70) == []
