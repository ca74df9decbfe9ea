from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tandem.domain.counts import FinishedTask
from tandem.domain.report import Report, Totals, compile_report
from tandem.domain.sink import SinkCursor, SinkState
from tandem.domain.tally import Tally
from tandem.domain.task import Mode
from tandem.domain.window import Window
from tests.adapter.conftest import Ports
from tests.factories.tasks import NOON, finish_at, make_task

FIRST = Window(NOON)


def report_of(ports: Ports, window: Window) -> Report:
    return compile_report(window, Tally.of(finished_in(ports, window)), window.end)


def finished_in(ports: Ports, window: Window) -> Iterator[FinishedTask]:
    for shard in range(ports.reports.shards):
        found = list(ports.reports.finished_in(window, shard))
        assert ports.reports.count_finished_in(window, shard) == len(found)
        yield from found


def test_a_window_holds_what_finished_in_it_and_no_more(ports: Ports) -> None:
    inside = [
        finish_at(ports.tasks, make_task(NOON - timedelta(minutes=1)), moment, ran_seconds=0.5)
        for moment in (NOON, NOON + timedelta(seconds=30), FIRST.end - timedelta(milliseconds=1))
    ]
    for moment in (NOON - timedelta(milliseconds=1), FIRST.end):
        finish_at(ports.tasks, make_task(NOON - timedelta(minutes=1)), moment)
    ports.tasks.put(make_task(NOON))
    found = {task.task_id: task for task in finished_in(ports, FIRST)}
    assert found.keys() == {task.task_id for task in inside}
    one = found[inside[1].task_id]
    assert (one.processor, one.mode, one.attempts) == ("echo", Mode.OFFLINE, 1)
    assert (one.queue_wait_ms, one.run_ms) == (89_500, 500)


def test_the_index_says_which_attempts_do_not_count_and_whose_the_fault_is(on_moto: Ports) -> None:
    ended = [finish_at(on_moto.tasks, make_task(NOON), NOON) for _ in range(2)]
    assert on_moto.clients is not None
    dynamodb = on_moto.clients.dynamodb
    (table,) = dynamodb.list_tables()["TableNames"]
    dynamodb.update_item(
        TableName=table,
        Key={"pk": {"S": f"task#{ended[0].task_id}"}},
        UpdateExpression="SET uncounted = :two, own_fault = :yes",
        ExpressionAttributeValues={":two": {"N": "2"}, ":yes": {"N": "1"}},
    )
    found = {task.task_id: task for task in finished_in(on_moto, FIRST)}
    about = [(found[task.task_id].uncounted, found[task.task_id].own_fault) for task in ended]
    assert about == [(2, True), (0, False)]


def test_there_are_no_totals_before_the_first_window(ports: Ports) -> None:
    assert ports.reports.totals() is None


def test_a_closed_window_and_the_totals_are_read_back(ports: Ports) -> None:
    finish_at(ports.tasks, make_task(NOON), NOON + timedelta(seconds=1))
    report = report_of(ports, FIRST)
    totals = Totals.of(report)
    assert ports.reports.close(report, totals, previous=None)
    assert ports.reports.reports([FIRST, FIRST.plus(1)]) == [report]
    assert ports.reports.totals() == totals


def test_a_window_is_read_with_the_totals_that_it_was_closed_with(ports: Ports) -> None:
    reports: list[Report] = []
    kept: list[Totals] = []
    for number in range(3):
        window = FIRST.plus(number)
        finish_at(ports.tasks, make_task(window.start), window.start)
        report = report_of(ports, window)
        totals = kept[-1].including(report) if kept else Totals.of(report)
        previous = kept[-1].closed_through if kept else None
        assert ports.reports.close(report, totals, previous=previous)
        reports.append(report)
        kept.append(totals)
    wanted = [FIRST.plus(number) for number in (5, 2, 0, 1)]
    assert ports.reports.closed(wanted) == list(zip(reports, kept, strict=True))
    assert ports.reports.closed([FIRST.plus(9)]) == []


def test_how_sinks_stand_is_kept_with_a_report(ports: Ports) -> None:
    failing = SinkCursor(sink="webhook", published_through=FIRST.plus(-3))
    cursors = (
        failing.failed("it answered 503", NOON + timedelta(milliseconds=5)),
        SinkCursor(sink="sns", published_through=FIRST),
    )
    sinks = tuple(SinkState.of(cursor, FIRST) for cursor in cursors)
    report = replace(report_of(ports, FIRST), sinks=sinks)
    assert ports.reports.close(report, Totals.of(report), previous=None)
    assert ports.reports.reports([FIRST]) == [report]


def test_a_window_is_closed_once_and_in_order(ports: Ports) -> None:
    report = report_of(ports, FIRST)
    totals = Totals(FIRST, FIRST, {})
    assert ports.reports.close(report, totals, previous=None)
    assert not ports.reports.close(report, totals, previous=None)
    assert not ports.reports.close(report, totals, previous=FIRST)
    skipping = FIRST.plus(2)
    late = report_of(ports, skipping)
    assert not ports.reports.close(late, Totals(FIRST, skipping, {}), previous=FIRST.plus(1))
    assert ports.reports.totals() == totals
    assert ports.reports.reports([skipping]) == []


def test_reports_come_newest_first(ports: Ports) -> None:
    for number in range(3):
        window = FIRST.plus(number)
        previous = FIRST.plus(number - 1) if number else None
        assert ports.reports.close(
            report_of(ports, window), Totals(FIRST, window, {}), previous=previous
        )
    found = ports.reports.reports([FIRST, FIRST.plus(1), FIRST.plus(2)])
    assert [report.window for report in found] == [FIRST.plus(2), FIRST.plus(1), FIRST]


def test_of_many_runs_at_once_exactly_one_closes_a_window(concurrent_ports: Ports) -> None:
    report = report_of(concurrent_ports, FIRST)
    totals = Totals(FIRST, FIRST, {})

    def close(_: int) -> bool:
        return concurrent_ports.reports.close(report, totals, previous=None)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(close, range(8))) == 1


def test_reports_are_read_as_they_were_last_written(on_moto: Ports) -> None:
    """One that the next run does not see yet has counted late tasks, which it would count again."""
    asked: list[dict[str, Any]] = []
    assert on_moto.clients is not None
    events = on_moto.clients.dynamodb.meta.events
    events.register("provide-client-params.dynamodb.*", lambda params, **_: asked.append(params))
    on_moto.reports.totals()
    on_moto.reports.reports([FIRST])
    totals, reports = asked
    assert totals["ConsistentRead"]
    assert all(table["ConsistentRead"] for table in reports["RequestItems"].values())
