from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from random import Random
from secrets import token_hex
from typing import Any

import pytest

from tandem.aws import packed
from tandem.aws.dynamodb_reports import DynamoDBReportStore, TotalsChanged
from tandem.ids import TenantId, new_task_id
from tandem.reports.counts import NUMBERS, Count, Counts, FinishedTask, Series
from tandem.reports.histogram import BOUNDS_MS, Histogram
from tandem.reports.report import Report, Totals, compile_report
from tandem.reports.sink import SinkCursor, SinkState
from tandem.reports.tally import Tally
from tandem.reports.window import Window
from tandem.tasks.task import Mode, State
from tandem_tools.harness.tasks import NOON, finish_at, make_task
from tests.adapter.conftest import Ports
from tests.factories.reports import LEVELS

FIRST = Window(NOON)

OUTCOMES = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


def new_id() -> str:
    return token_hex(16)


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
    assert ports.reports.close(report, totals, previous=None, closing=new_id())
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
        assert ports.reports.close(report, totals, previous=previous, closing=new_id())
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
    assert ports.reports.close(report, Totals.of(report), previous=None, closing=new_id())
    assert ports.reports.reports([FIRST]) == [report]


def test_a_window_is_closed_once_and_in_order(ports: Ports) -> None:
    report = report_of(ports, FIRST)
    totals = Totals(FIRST, FIRST, {})
    assert ports.reports.close(report, totals, previous=None, closing=new_id())
    assert not ports.reports.close(report, totals, previous=None, closing=new_id())
    assert not ports.reports.close(report, totals, previous=FIRST, closing=new_id())
    skipping = FIRST.plus(2)
    late = report_of(ports, skipping)
    assert not ports.reports.close(
        late, Totals(FIRST, skipping, {}), previous=FIRST.plus(1), closing=new_id()
    )
    assert ports.reports.totals() == totals
    assert ports.reports.reports([skipping]) == []


def test_reports_come_newest_first(ports: Ports) -> None:
    for number in range(3):
        window = FIRST.plus(number)
        previous = FIRST.plus(number - 1) if number else None
        assert ports.reports.close(
            report_of(ports, window), Totals(FIRST, window, {}), previous=previous, closing=new_id()
        )
    found = ports.reports.reports([FIRST, FIRST.plus(1), FIRST.plus(2)])
    assert [report.window for report in found] == [FIRST.plus(2), FIRST.plus(1), FIRST]


def test_of_many_runs_at_once_exactly_one_closes_a_window(concurrent_ports: Ports) -> None:
    report = report_of(concurrent_ports, FIRST)
    totals = Totals(FIRST, FIRST, {})

    def close(_: int) -> bool:
        return concurrent_ports.reports.close(report, totals, previous=None, closing=new_id())

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


# --- The same call again --------------------------------------------------------------------------


def test_a_closing_whose_answer_was_lost_is_known_as_ones_own(ports: Ports) -> None:
    report, own = report_of(ports, FIRST), new_id()
    totals = Totals.of(report)
    for _ in range(3):
        assert ports.reports.close(report, totals, previous=None, closing=own)
    assert not ports.reports.close(report, totals, previous=None, closing=new_id())
    assert ports.reports.totals() == totals


def test_it_is_known_also_when_another_run_has_closed_the_next_window_meanwhile(
    ports: Ports,
) -> None:
    first, own = report_of(ports, FIRST), new_id()
    totals = Totals.of(first)
    assert ports.reports.close(first, totals, previous=None, closing=own)
    second = report_of(ports, FIRST.plus(1))
    later = totals.including(second)
    assert ports.reports.close(second, later, previous=FIRST, closing=new_id())
    assert ports.reports.close(first, totals, previous=None, closing=own)
    assert ports.reports.totals() == later


class Disturbed:
    """A client whose transactions are cancelled first, as often as a test says."""

    def __init__(self, client: Any, *causes: str) -> None:
        self._client = client
        self._causes = list(causes)
        self.tokens: list[str] = []
        self.meanwhile = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.tokens.append(request["ClientRequestToken"])
        if self._causes:
            raise self._cancelled(self._causes.pop(0))
        return self._client.transact_write_items(**request)

    def batch_get_item(self, **request: Any) -> Any:
        self.meanwhile()
        return self._client.batch_get_item(**request)

    def _cancelled(self, cause: str) -> Exception:
        errors = self._client.exceptions
        if cause == "TransactionInProgressException":
            named: Exception = errors.TransactionInProgressException({"Error": {"Code": cause}}, "")
            return named
        answer = {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [{"Code": "None"}, {"Code": cause}],
        }
        cancelled: Exception = errors.TransactionCanceledException(answer, "")
        return cancelled


def disturbed(ports: Ports, *causes: str) -> tuple[Disturbed, DynamoDBReportStore, list[float]]:
    assert ports.clients is not None
    client, waits = Disturbed(ports.clients.dynamodb, *causes), list[float]()
    (table,) = client.list_tables()["TableNames"]
    store: Any = DynamoDBReportStore(client, table, shards=2, pause=waits.append)  # type: ignore[arg-type]
    return client, store, waits


def test_a_transaction_that_conflicts_is_tried_again_with_the_same_token(on_moto: Ports) -> None:
    causes = ("TransactionConflict", "TransactionInProgressException", "ThrottlingError")
    client, store, waits = disturbed(on_moto, *causes)
    report, own = report_of(on_moto, FIRST), new_id()
    assert store.close(report, Totals.of(report), previous=None, closing=own)
    assert client.tokens == [own] * 4
    assert [0 < wait <= bound for wait, bound in zip(waits, (0.05, 0.1, 0.2), strict=True)] == [
        True
    ] * 3
    assert on_moto.reports.reports([FIRST]) == [report]


@pytest.mark.parametrize("cause", ["TransactionConflict", "TransactionInProgressException"])
def test_one_that_conflicts_again_and_again_is_an_error_and_no_refusal(
    on_moto: Ports, cause: str
) -> None:
    client, store, waits = disturbed(on_moto, *[cause] * 100)
    report = report_of(on_moto, FIRST)
    with pytest.raises(Exception, match="Transaction"):
        store.close(report, Totals.of(report), previous=None, closing=new_id())
    assert (len(client.tokens), len(waits)) == (5, 4)
    assert on_moto.reports.totals() is None


def test_what_is_wrong_with_a_transaction_itself_is_not_tried_again(on_moto: Ports) -> None:
    client, store, waits = disturbed(on_moto, "ValidationError")
    report = report_of(on_moto, FIRST)
    with pytest.raises(Exception, match="Transaction"):
        store.close(report, Totals.of(report), previous=None, closing=new_id())
    assert (len(client.tokens), waits) == (1, [])


# --- Many processors ------------------------------------------------------------------------------


def many(random: Random, digits: int) -> Counts:
    """Return counts of 600 processors in each mode and outcome; noise cannot be compressed."""

    def number() -> int:
        return random.randrange(10**digits)

    def histogram() -> Histogram:
        return Histogram(tuple(number() for _ in range(len(BOUNDS_MS) + 1)), number() * 1000)

    return {
        Series(f"processor-number-{processor:04d}", mode, outcome): Count.of(
            [number() for _ in NUMBERS], histogram(), histogram()
        )
        for processor in range(600)
        for mode in sorted(Mode)
        for outcome in sorted(OUTCOMES)
    }


def compiled(window: Window, random: Random) -> Report:
    """Return a report of 600 processors with all that a report can have of them."""
    started = window.start
    tasks = (
        FinishedTask(
            task_id=new_task_id(window.start),
            tenant=TenantId(f"{number:03d}" + "t" * 125),
            processor=f"processor-number-{number % 600:04d}",
            mode=mode,
            outcome=outcome,
            attempts=1,
            traceparent=f"00-{random.randbytes(16).hex()}-{random.randbytes(8).hex()}-01",
            created_at=started,
            started_at=started + timedelta(milliseconds=random.randrange(10_000)),
            attempt_started_at=started,
            finished_at=started + timedelta(milliseconds=random.randrange(60_000)),
        )
        for number in range(1200)
        for mode in Mode
        for outcome in OUTCOMES
    )
    return replace(compile_report(window, Tally.of(tasks), window.end), levels=LEVELS)


def test_six_hundred_processors_with_a_late_window_of_all_of_them_are_kept_exactly(
    ports: Ports,
) -> None:
    random = Random(1)  # noqa: S311 - the same in each run
    first = compiled(FIRST, random)
    early = replace(Totals.of(first), counts=many(random, 9))
    assert ports.reports.close(first, early, previous=None, closing=new_id())
    second = compiled(FIRST.plus(1), random).with_late({FIRST: many(random, 4)})
    totals = early.including(second)
    assert ports.reports.close(second, totals, previous=FIRST, closing=new_id())
    assert ports.reports.totals() == totals
    assert ports.reports.reports([FIRST, FIRST.plus(1), FIRST.plus(2)]) == [second, first]
    assert ports.reports.closed([FIRST, FIRST.plus(1)]) == [(first, early), (second, totals)]


def test_no_item_and_no_transaction_is_larger_than_dynamodb_takes(on_moto: Ports) -> None:
    random = Random(2)  # noqa: S311 - the same in each run
    assert on_moto.clients is not None
    sizes: list[int] = []

    def measure(params: Any, **_: Any) -> None:
        for action in params["TransactItems"]:
            item = action["Put"]["Item"].items()
            sizes.append(sum(len(name) + len(*value.values()) for name, value in item))

    events = on_moto.clients.dynamodb.meta.events
    events.register("provide-client-params.dynamodb.TransactWriteItems", measure)
    late = {FIRST.plus(-back): many(random, 2) for back in range(1, 6)}
    report = compiled(FIRST, random).with_late(late)
    totals = replace(Totals.of(report), counts=many(random, 9))
    assert on_moto.reports.close(report, totals, previous=None, closing=new_id())
    assert max(sizes) < 400_000
    assert 2 < len(sizes) <= 100
    assert sum(sizes) < 4_000_000


def test_totals_of_several_items_are_of_one_window_while_others_are_closed(
    on_moto: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "PIECE_BYTES", 20)
    client, store, _ = disturbed(on_moto)
    kept: list[Totals] = []

    def close_next() -> None:
        window = FIRST.plus(len(kept))
        finish_at(on_moto.tasks, make_task(window.start), window.start)
        report = report_of(on_moto, window)
        totals = kept[-1].including(report) if kept else Totals.of(report)
        previous = kept[-1].closed_through if kept else None
        assert on_moto.reports.close(report, totals, previous=previous, closing=new_id())
        kept.append(totals)

    close_next()
    client.meanwhile = lambda: close_next() if len(kept) < 4 else None
    assert store.totals() == kept[-1]
    assert len(kept) == 4
    client.meanwhile = close_next
    with pytest.raises(TotalsChanged):
        store.totals()


def test_a_report_one_of_whose_items_has_expired_is_gone(
    on_moto: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "PIECE_BYTES", 100)
    report = report_of(on_moto, FIRST)
    assert on_moto.reports.close(report, Totals.of(report), previous=None, closing=new_id())
    assert on_moto.reports.reports([FIRST]) == [report]
    client, _, _ = disturbed(on_moto)
    (table,) = client.list_tables()["TableNames"]
    client.delete_item(TableName=table, Key={"pk": {"S": f"report#{FIRST.name}#body#1"}})
    assert on_moto.reports.reports([FIRST]) == []
    assert on_moto.reports.closed([FIRST]) == []
    assert on_moto.reports.totals() == Totals.of(report)
