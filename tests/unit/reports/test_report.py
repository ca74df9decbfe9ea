from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.ids import TenantId
from tandem.reports.counts import FinishedTask, Series, difference
from tandem.reports.histogram import BOUNDS_MS, RELATIVE_ERROR
from tandem.reports.report import MOST_EXAMPLES, Report, Totals, compile_report
from tandem.reports.tally import Tally
from tandem.reports.window import Window, windows_to_close
from tandem.tasks.task import Mode, State
from tandem_tools.harness.tasks import ACME, NOON, make_task

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


def report_of(*tasks: FinishedTask) -> Report:
    return compile_report(FIRST, Tally.of(tasks), NOON)


def test_a_report_counts_by_processor_mode_and_outcome() -> None:
    report = report_of(finished(), finished(), finished(State.FAILED))
    counted = {
        series.outcome: (count.tasks, count.attempts, count.retries)
        for series, count in report.counts.items()
    }
    assert counted == {State.SUCCEEDED: (2, 4, 2), State.FAILED: (1, 2, 1)}


@pytest.mark.parametrize(
    ("attempts", "uncounted", "retries"),
    [(0, 0, 0), (1, 0, 0), (3, 0, 2), (2, 1, 0), (4, 2, 1), (1, 1, 0), (2, 2, 0)],
)
def test_attempts_that_do_not_count_are_no_retries(
    attempts: int, uncounted: int, retries: int
) -> None:
    task = replace(finished(), attempts=attempts, uncounted=uncounted)
    (count,) = report_of(task, finished()).counts.values()
    assert (count.attempts, count.retries) == (attempts + 2, retries + 1)


def test_a_fault_is_a_failed_task_whose_fault_is_not_its_callers() -> None:
    own = [
        replace(finished(outcome), own_fault=True) for outcome in (State.FAILED, State.SUCCEEDED)
    ]
    report = report_of(*own, finished(State.FAILED))
    faults = {series.outcome: count.faults for series, count in report.counts.items()}
    assert faults == {State.FAILED: 1, State.SUCCEEDED: 0}
    totals = Totals.of(report).including(report)
    assert sum(count.faults for count in totals.counts.values()) == 2


def test_an_empty_window_is_a_report_too() -> None:
    report = report_of()
    assert (report.counts, report.durations, report.tenants) == ({}, {}, ())


def test_durations_are_nearest_rank_percentiles_within_the_sketchs_error() -> None:
    durations = report_of(*(finished(wait=n, run=n * 10) for n in range(1, 101))).durations["echo"]
    for percentiles, scale in ((durations.queue_wait, 1), (durations.run, 10)):
        assert percentiles is not None
        assert percentiles.p50 == pytest.approx(50 * scale, rel=RELATIVE_ERROR)
        assert percentiles.p95 == pytest.approx(95 * scale, rel=RELATIVE_ERROR)
        assert percentiles.p99 == pytest.approx(99 * scale, rel=RELATIVE_ERROR)


def test_histograms_hold_each_duration_in_its_bucket_and_their_exact_sum() -> None:
    report = report_of(finished(wait=0.005, run=0.0051), finished(wait=0.1, run=99_999))
    (count,) = report.counts.values()
    waits = dict(zip((*BOUNDS_MS, None), count.queue_wait.buckets, strict=True))
    runs = dict(zip((*BOUNDS_MS, None), count.run.buckets, strict=True))
    assert (waits[5], waits[100], count.queue_wait.count) == (1, 1, 2)
    assert (runs[10], runs[None], count.run.count) == (0, 1, 2)
    assert count.queue_wait.total_ms == 105
    assert runs[5] == 1  # times are kept in whole milliseconds


def test_the_tenants_with_most_tasks_are_named() -> None:
    tenants = [TenantId(f"tenant-{number}") for number in range(20)]
    tasks = [
        replace(finished(), tenant=tenant)
        for number, tenant in enumerate(tenants)
        for _ in range(number)
    ]
    named = report_of(*tasks).tenants
    assert [(one.tenant, one.tasks) for one in named[:2]] == [("tenant-19", 19), ("tenant-18", 18)]
    assert len(named) == 10
    assert all(one.overcount == 0 for one in named)


def test_of_many_series_those_have_an_example_whose_tasks_ran_longest() -> None:
    tasks = [
        replace(finished(run=run), processor=f"processor-{run % 7}-{run}")
        for run in range(MOST_EXAMPLES + 20)
    ]
    examples = report_of(*tasks).examples
    assert list(examples) == sorted(examples)
    longest = {f"processor-{run % 7}-{run}" for run in range(20, MOST_EXAMPLES + 20)}
    assert {series.processor for series in examples} == longest


def test_totals_add_up() -> None:
    report = report_of(finished(), finished(State.FAILED))
    totals = Totals(FIRST, FIRST, {}).including(report).including(report)
    count = totals.counts[Series("echo", Mode.OFFLINE, State.SUCCEEDED)]
    assert (count.tasks, count.attempts, count.run.count) == (2, 4, 2)
    assert totals.closed_through == FIRST


@given(st.lists(st.integers(0, 100), max_size=30), st.lists(st.integers(0, 100), max_size=30))
def test_what_is_counted_apart_is_counted_together(first: list[int], second: list[int]) -> None:
    ones, others = ([finished(wait=n, run=n) for n in part] for part in (first, second))
    whole, parts = Tally.of([*ones, *others]), Tally.of(ones)
    parts.include(Tally.of(others))
    assert parts.counts() == whole.counts()
    assert parts.durations() == whole.durations()
    assert parts.talkers.most(10) == whole.talkers.most(10)
    assert difference(whole.counts(), Tally.of(others).counts()) == Tally.of(ones).counts()


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
