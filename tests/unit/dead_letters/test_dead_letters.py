from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from tandem.cursor import CursorInvalid
from tandem.dead_letters.letters import LetterFilter, Redrive, Redriven, Request
from tandem.ids import TaskId, TenantId
from tandem.limits import LETTERS_LOOKED_AT
from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.tasks.task import State, Task
from tandem.testing import MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import Number, make_wiring, new_work, refuse

ALL = LetterFilter()


@pytest.fixture
def wiring() -> MemoryWiring:
    return make_wiring(refuse)


def failed(wiring: MemoryWiring) -> Task:
    task = wiring.submissions.offline(new_work(wiring))
    deliver_all(wiring)
    return wiring.store.tasks[task.task_id]


def redrive(
    wiring: MemoryWiring, wanted: LetterFilter = ALL, *, dry_run: bool = False
) -> list[Redriven]:
    request = Request(limit=100, dry_run=dry_run, requested_by="ops", traceparent="00-1")
    return wiring.dead_letters.redrive(wanted, request).letters


def give_up(wiring: MemoryWiring, task: Task) -> None:
    """Do as the queue's redrive policy, which says no reason."""
    body = f'{{"task_id": "{task.task_id}"}}'
    wiring.inbox.dead_letter(body, message_id="m", reason="unhandled", error="", task_id=None)


def listed(wiring: MemoryWiring) -> list[TaskId | None]:
    return [letter.task_id for letter in wiring.dead_letters.peek(100).letters]


def test_a_look_shows_each_failed_task_once_and_messages_beside_them(wiring: MemoryWiring) -> None:
    tasks = [failed(wiring), failed(wiring)]
    wiring.queue.send_text("unparsable")
    deliver_all(wiring)
    for _ in range(2):
        first, second, message = wiring.dead_letters.peek(10).letters
        assert [first.task_id, second.task_id] == sorted(task.task_id for task in tasks)
        assert (first.reason, first.error) == ("permanent", "Permanent: no such column")
        assert first.since == tasks[0].finished_at
        assert (message.reason, message.task) == ("unparsable", None)


@pytest.mark.parametrize("purged", [False, True])
def test_a_message_of_a_deleted_task_is_settled(wiring: MemoryWiring, *, purged: bool) -> None:
    task = failed(wiring)
    give_up(wiring, task)
    wiring.deletions.delete(task)
    if purged:
        wiring.store.purge(task.task_id, expires_at=wiring.clock.now())
    (dry,) = redrive(wiring, dry_run=True)
    (done,) = redrive(wiring)
    assert dry.done is done.done is Redrive.SETTLED
    assert wiring.queue.dead_letters == []


def test_a_page_goes_on_where_the_one_before_ended(wiring: MemoryWiring) -> None:
    tasks = [failed(wiring).task_id for _ in range(5)]
    found: list[TaskId | None] = []
    cursor = None
    while True:
        page = wiring.dead_letters.peek(2, cursor)
        found += [letter.task_id for letter in page.letters]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == sorted(tasks)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(wiring: MemoryWiring) -> None:
    task = failed(wiring)
    (would,) = redrive(wiring, dry_run=True)
    assert (would.done, would.task_id) == (Redrive.NEW_TASK, None)
    assert list(wiring.store.tasks.values()) == [task]


def test_a_failed_task_is_done_again_by_a_new_one_that_names_who_asked(
    wiring: MemoryWiring,
) -> None:
    task = failed(wiring)
    (done,) = redrive(wiring)
    assert done.done is Redrive.NEW_TASK
    assert done.task_id is not None
    new = wiring.store.tasks[done.task_id]
    assert (new.retry_of, new.requested_by, new.tenant) == (task.task_id, "ops", task.tenant)
    assert new.origin == task.task_id
    assert listed(wiring) == []
    deliver_all(wiring)
    assert listed(wiring) == [new.task_id], "the new one failed, too, and is listed itself"
    (again,) = redrive(wiring)
    assert again.task_id is not None
    assert wiring.store.tasks[again.task_id].origin == task.task_id


def test_a_failed_task_is_redriven_once_ever(wiring: MemoryWiring) -> None:
    task = failed(wiring)
    named = LetterFilter(task_ids=(task.task_id,))
    (first,) = redrive(wiring, named)
    for wanted in (named, ALL):
        for again in redrive(wiring, wanted):
            assert (again.done, again.task_id) == (Redrive.ALREADY, first.task_id)
    (would,) = redrive(wiring, named, dry_run=True)
    assert (would.done, would.task_id) == (Redrive.ALREADY, first.task_id)
    assert len(wiring.store.tasks) == 2


def test_of_many_redrives_at_one_moment_one_makes_a_task(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = failed(wiring)
    together = Barrier(8, timeout=10)
    get = wiring.store.get

    def get_before_any_writes(task_id: TaskId) -> Task | None:
        found = get(task_id)
        together.wait()
        return found

    monkeypatch.setattr(wiring.store, "get", get_before_any_writes)
    named = LetterFilter(task_ids=(task.task_id,))
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: redrive(wiring, named), range(8)))
    assert len({one.task_id for (one,) in outcomes}) == 1
    assert sum(one.done is Redrive.NEW_TASK for (one,) in outcomes) == 1
    assert len(wiring.store.tasks) == 2


def test_the_owners_retry_takes_a_failed_task_off_the_list(wiring: MemoryWiring) -> None:
    task = failed(wiring)
    first = wiring.tasks.again(task, traceparent="00-1")
    second = wiring.tasks.again(wiring.store.tasks[task.task_id], traceparent="00-1")
    assert first.task_id != second.task_id, "an owner may do it again as often as she likes"
    assert listed(wiring) == []
    (done,) = redrive(wiring, LetterFilter(task_ids=(task.task_id,)))
    assert (done.done, done.task_id) == (Redrive.ALREADY, first.task_id)


def test_a_task_in_flight_whose_message_was_given_up_is_sent_again(wiring: MemoryWiring) -> None:
    task = wiring.submissions.offline(new_work(wiring))
    wiring.queue.messages.clear()
    give_up(wiring, task)
    (done,) = redrive(wiring)
    assert (done.done, done.task_id) == (Redrive.SENT_AGAIN, task.task_id)
    assert len(wiring.queue.messages) == 1
    assert wiring.queue.dead_letters == []


def test_a_message_of_a_task_that_has_ended_makes_no_other_task() -> None:
    runs: list[int] = []

    def count(data: Number, ctx: TaskContext) -> Number:
        runs.append(ctx.attempt)
        return data

    wiring = make_wiring(count)
    task = failed(wiring)
    assert task.state is State.SUCCEEDED
    give_up(wiring, task)
    (letter,) = wiring.dead_letters.peek(10).letters
    assert (letter.reason, letter.task_id) == ("unhandled", task.task_id)
    (done,) = redrive(wiring)
    deliver_all(wiring)
    assert (done.done, done.task_id) == (Redrive.SETTLED, None)
    assert (runs, wiring.queue.dead_letters) == ([1], [])


def test_several_messages_of_a_failed_task_are_one_letter_and_one_new_task(
    wiring: MemoryWiring,
) -> None:
    task = failed(wiring)
    for _ in range(3):
        give_up(wiring, task)
    assert listed(wiring) == [task.task_id]
    redrive(wiring)
    assert sum(one.retry_of == task.task_id for one in wiring.store.tasks.values()) == 1
    assert wiring.queue.dead_letters == []


def test_a_letter_that_nobody_can_do_again_is_kept(wiring: MemoryWiring) -> None:
    wiring.queue.send_text("unparsable")
    deliver_all(wiring)
    failed(wiring)
    wiring.tasks._catalogue = Catalogue([])
    for dry_run in (True, False):
        kept = redrive(wiring, dry_run=dry_run)
        assert [one.done for one in kept] == [Redrive.KEPT, Redrive.KEPT]
    assert len(wiring.dead_letters.peek(10).letters) == 2


def test_one_letter_that_cannot_be_redriven_stops_no_other(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [failed(wiring) for _ in range(3)]
    healthy = wiring.store.put

    def throttled(task: Task, **options: Any) -> None:
        if task.retry_of == tasks[1].task_id:
            raise ConnectionError
        healthy(task, **options)

    monkeypatch.setattr(wiring.store, "put", throttled)
    done = [one.done for one in redrive(wiring)]
    assert sorted(done) == sorted([Redrive.NEW_TASK, Redrive.ERROR, Redrive.NEW_TASK])
    assert listed(wiring) == [tasks[1].task_id]


def test_a_named_task_that_cannot_be_read_stops_no_other(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [failed(wiring).task_id for _ in range(3)]
    healthy = wiring.store.get

    def throttled(task_id: TaskId) -> Task | None:
        if task_id == tasks[1]:
            raise ConnectionError
        return healthy(task_id)

    monkeypatch.setattr(wiring.store, "get", throttled)
    done = redrive(wiring, LetterFilter(task_ids=tuple(tasks)))
    assert [(one.letter.task_id, one.done) for one in done] == [
        (tasks[0], Redrive.NEW_TASK),
        (tasks[1], Redrive.ERROR),
        (tasks[2], Redrive.NEW_TASK),
    ]


def test_a_message_whose_task_cannot_be_read_stops_no_other(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flight = wiring.submissions.offline(new_work(wiring))
    give_up(wiring, in_flight)
    tasks = [failed(wiring).task_id for _ in range(2)]
    healthy = wiring.store.get

    def throttled(task_id: TaskId) -> Task | None:
        if task_id == in_flight.task_id:
            raise ConnectionError
        return healthy(task_id)

    monkeypatch.setattr(wiring.store, "get", throttled)
    done = {one.letter.task_id: one.done for one in redrive(wiring)}
    assert done == dict.fromkeys(tasks, Redrive.NEW_TASK) | {in_flight.task_id: Redrive.ERROR}


@pytest.mark.parametrize("by_name", [False, True])
def test_what_there_is_no_time_for_is_left_and_said(wiring: MemoryWiring, *, by_name: bool) -> None:
    tasks = [failed(wiring).task_id for _ in range(4)]
    wanted = LetterFilter(task_ids=tuple(tasks)) if by_name else ALL

    def over() -> bool:
        return len(wiring.dead_letters.peek(10).letters) < 3

    request = Request(limit=100, dry_run=False, requested_by="ops", traceparent="00-1", over=over)
    done = {
        one.letter.task_id: one.done for one in wiring.dead_letters.redrive(wanted, request).letters
    }
    left = [task_id for task_id, what in done.items() if what is Redrive.LEFT]
    assert sorted(done) == sorted(tasks)
    assert len(left) == 2
    assert listed(wiring) == sorted(left)
    assert {one.done for one in redrive(wiring, wanted)} <= {Redrive.NEW_TASK, Redrive.ALREADY}
    assert listed(wiring) == []


@pytest.mark.parametrize(
    ("wanted", "matched"),
    [
        (LetterFilter(reason="permanent"), 1),
        (LetterFilter(reason="other"), 0),
        (LetterFilter(processor="work"), 1),
        (LetterFilter(processor="echo"), 0),
        (LetterFilter(tenant=TenantId("acme")), 1),
        (LetterFilter(tenant=TenantId("other")), 0),
        (LetterFilter(own_fault=False), 1),
        (LetterFilter(own_fault=True), 0),
        (LetterFilter(letter_ids=frozenset({"letter-9"})), 0),
        (LetterFilter(task_ids=(TaskId("nobody"),)), 0),
    ],
)
def test_only_the_wanted_letters_are_redriven(
    wiring: MemoryWiring, wanted: LetterFilter, matched: int
) -> None:
    failed(wiring)
    assert len(redrive(wiring, wanted)) == matched
    assert len(listed(wiring)) == 1 - matched


def test_what_stands_behind_many_other_failed_tasks_is_shown_and_redriven(
    wiring: MemoryWiring,
) -> None:
    first = failed(wiring)
    listed_at = first.listed_at
    assert listed_at is not None
    for number in range(LETTERS_LOOKED_AT):
        task_id = TaskId(f"01a20535-0000-7000-8000-{number:012x}")
        at = listed_at + timedelta(milliseconds=number)
        wiring.store.tasks[task_id] = replace(first, task_id=task_id, listed_at=at)
    last = replace(
        first,
        task_id=TaskId("01a20535-0000-7000-9000-000000000000"),
        processor="charge",
        listed_at=listed_at + timedelta(minutes=1),
    )
    wiring.store.tasks[last.task_id] = last
    wanted = LetterFilter(processor="charge")

    blocked = wiring.dead_letters.peek(20, None, wanted)
    assert blocked.letters == []
    assert blocked.next_cursor is not None, (
        "the look has its bounds, and says that the list goes on"
    )
    page = wiring.dead_letters.peek(20, blocked.next_cursor, wanted)
    assert ([letter.task_id for letter in page.letters], page.next_cursor) == ([last.task_id], None)

    request = Request(limit=100, dry_run=True, requested_by="ops", traceparent="00-1")
    dry = wiring.dead_letters.redrive(wanted, request)
    assert dry.letters == []
    more = wiring.dead_letters.redrive(wanted, replace(request, cursor=dry.next_cursor))
    assert ([one.letter.task_id for one in more.letters], more.next_cursor) == (
        [last.task_id],
        None,
    )


@pytest.mark.parametrize("wanted", [ALL, LetterFilter(reason="permanent")])
def test_a_redrive_goes_on_where_the_one_before_ended(
    wiring: MemoryWiring, wanted: LetterFilter
) -> None:
    tasks = sorted(failed(wiring).task_id for _ in range(5))
    request = Request(limit=2, dry_run=True, requested_by="ops", traceparent="00-1")
    found: list[TaskId | None] = []
    pages = 0
    while True:
        page = wiring.dead_letters.redrive(wanted, request)
        found += [one.letter.task_id for one in page.letters]
        pages += 1
        if page.next_cursor is None:
            break
        request = replace(request, cursor=page.next_cursor)
    assert (found, pages) == (tasks, 3)


def test_a_cursor_that_no_list_gave_is_no_empty_page(wiring: MemoryWiring) -> None:
    failed(wiring)
    with pytest.raises(CursorInvalid):
        wiring.dead_letters.peek(10, "abc")
    request = Request(
        limit=9, dry_run=True, requested_by="ops", traceparent="00-1", cursor="2026-01-01"
    )
    with pytest.raises(CursorInvalid):
        wiring.dead_letters.redrive(ALL, request)
