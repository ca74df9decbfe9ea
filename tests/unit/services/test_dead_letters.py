from datetime import timedelta

import pytest

from tandem.domain.ids import TenantId
from tandem.domain.task import State, Task
from tandem.ports import DeadLetter
from tandem.processing.catalogue import Catalogue
from tandem.services.dead_letters import LetterFilter, Redrive, Redriven
from tandem.testing import FakeClock, MemoryWiring
from tests.factories.deliveries import deliver_all
from tests.factories.processors import make_wiring, new_work, refuse

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
    return wiring.dead_letters.redrive(
        wanted, limit=100, dry_run=dry_run, requested_by="ops", traceparent="00-1"
    )


def test_a_look_shows_reason_and_task_and_takes_nothing(wiring: MemoryWiring) -> None:
    task = failed(wiring)
    wiring.queue.send_text("unparsable")
    deliver_all(wiring)
    for _ in range(2):
        known, unknown = wiring.dead_letters.peek(10)
        assert (known.letter.reason, known.task) == ("permanent", task)
        assert (unknown.letter.reason, unknown.task) == ("unparsable", None)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(wiring: MemoryWiring) -> None:
    failed(wiring)
    letters = list(wiring.queue.dead_letters)
    (would,) = redrive(wiring, dry_run=True)
    assert (would.done, would.task_id) == (Redrive.NEW_TASK, None)
    assert len(wiring.store.tasks) == 1
    assert wiring.queue.dead_letters == letters


def test_a_final_task_is_done_again_by_a_new_one_that_names_who_asked(
    wiring: MemoryWiring,
) -> None:
    task = failed(wiring)
    (done,) = redrive(wiring)
    assert done.done is Redrive.NEW_TASK
    assert done.task_id is not None
    new = wiring.store.tasks[done.task_id]
    assert (new.retry_of, new.requested_by, new.tenant) == (task.task_id, "ops", task.tenant)
    assert wiring.store.tasks[task.task_id] == task
    assert wiring.queue.dead_letters == []


def test_a_task_in_flight_is_sent_again(wiring: MemoryWiring) -> None:
    task = wiring.submissions.offline(new_work(wiring))
    wiring.queue.messages.clear()
    wiring.inbox.dead_letter(
        f'{{"task_id": "{task.task_id}"}}',
        message_id="m",
        reason="unhandled",
        error="",
        task_id=None,
    )
    (done,) = redrive(wiring)
    assert (done.done, done.task_id) == (Redrive.SENT_AGAIN, task.task_id)
    assert len(wiring.queue.messages) == 1
    assert wiring.queue.dead_letters == []


def test_a_letter_that_nobody_can_do_again_is_kept(wiring: MemoryWiring) -> None:
    wiring.queue.send_text("unparsable")
    deliver_all(wiring)
    failed(wiring)
    wiring.tasks._catalogue = Catalogue([])
    assert [one.done for one in redrive(wiring)] == [Redrive.KEPT, Redrive.KEPT]
    assert len(wiring.dead_letters.peek(10)) == 2


@pytest.mark.parametrize(
    ("wanted", "matched"),
    [
        (LetterFilter(reason="permanent"), 1),
        (LetterFilter(reason="other"), 0),
        (LetterFilter(processor="work"), 1),
        (LetterFilter(processor="echo"), 0),
        (LetterFilter(tenant=TenantId("acme")), 1),
        (LetterFilter(tenant=TenantId("other")), 0),
        (LetterFilter(letter_ids=frozenset({"letter-2"})), 1),
        (LetterFilter(letter_ids=frozenset({"letter-9"})), 0),
    ],
)
def test_only_the_wanted_letters_are_redriven(
    wiring: MemoryWiring, wanted: LetterFilter, matched: int
) -> None:
    failed(wiring)
    assert len(redrive(wiring, wanted)) == matched
    assert len(wiring.dead_letters.peek(10)) == 1 - matched


def test_a_redrive_that_is_stopped_half_way_makes_no_second_task(
    wiring: MemoryWiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(wiring)

    def stopped(_: DeadLetter) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(wiring.queue, "remove", stopped)
        with pytest.raises(KeyboardInterrupt):
            redrive(wiring)
    assert wiring.dead_letters.peek(10) == [], "hidden while it was worked on"
    clock = wiring.clock
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(minutes=2))
    (done,) = redrive(wiring)
    assert len(wiring.store.tasks) == 2
    assert done.task_id is not None
    assert wiring.store.tasks[done.task_id].state is State.QUEUED
    assert wiring.queue.dead_letters == []
