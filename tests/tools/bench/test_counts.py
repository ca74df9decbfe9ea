"""What the audit of a soak requires of a task's counts, and of the effects of `ctx.once`."""

from dataclasses import replace
from typing import Any

import pytest

from tandem.ids import TaskId
from tandem.tasks.effects import idempotency_key
from tandem.tasks.task import AttemptRecord, InlinePayload, State, Task, TaskError
from tandem.tasks.transitions import CRASHED
from tandem_tools.bench.fault_paid import UNKNOWN, audit_payments
from tandem_tools.bench.fault_receiver import CHARGE, Booking
from tandem_tools.bench.fault_stored import Stored, counts_of_attempts
from tandem_tools.bench.fault_tasks import CYCLE, PAYING_PROCESSOR, PAYMENT, Kind, Planned
from tandem_tools.bench.soak_audit import Audit
from tandem_tools.harness.tasks import NOON, make_task

DONE = AttemptRecord(1, NOON, NOON)


def crash(number: int) -> AttemptRecord:
    return AttemptRecord(number, NOON, None, CRASHED)


TWO_FREE_CRASHES = make_task(
    state=State.SUCCEEDED,
    attempts=3,
    max_attempts=7,
    uncounted=2,
    crashes=2,
    max_crashes=2,
    alone=True,
    history=(crash(1), crash(2), replace(DONE, number=3)),
)


def wrong_counts(task: Task) -> list[str]:
    found = Audit({})
    counts_of_attempts(found, task)
    return found.wrong


def test_two_crashes_in_company_cost_nothing() -> None:
    assert wrong_counts(TWO_FREE_CRASHES) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"alone": False},
        {"crashes": 1},
        {"uncounted": 3, "max_attempts": 8},
        {"max_attempts": 8},
        {"attempts": 4},
        {"history": (DONE,)},
        {"attempts": 8, "history": (DONE,) * 8},
    ],
)
def test_counts_that_do_not_fit_the_history_are_seen(changed: dict[str, Any]) -> None:
    assert wrong_counts(replace(TWO_FREE_CRASHES, **changed))


def numbered(kind: Kind) -> Planned:
    return next(one for one in map(Planned, range(CYCLE)) if one.kind is kind)


def wrong_payments(kind: Kind, task: Task, bookings: list[Booking]) -> list[str]:
    found = Audit({})
    stored = Stored({task.task_id: task})
    audit_payments(found, [(numbered(kind), task)], bookings, stored)
    return found.wrong


def paid(kind: Kind, task: Task) -> Booking:
    key = idempotency_key(TaskId(task.task_id), PAYING_PROCESSOR, PAYMENT)
    return Booking(CHARGE, 1, numbered(kind).number, key, "b1")


SUCCEEDED = make_task(state=State.SUCCEEDED, output=InlinePayload('{"booking": "b1"}'))
FAILED = make_task(state=State.FAILED, error=TaskError(UNKNOWN, "perhaps"))


@pytest.mark.parametrize("kind", [Kind.CHARGED, Kind.MAILED])
def test_a_success_has_one_effect_and_its_answer(kind: Kind) -> None:
    booking = paid(kind, SUCCEEDED)

    assert wrong_payments(kind, SUCCEEDED, [booking]) == []
    assert wrong_payments(kind, SUCCEEDED, [])
    assert wrong_payments(kind, SUCCEEDED, [booking, replace(booking, booking_id="b2")])
    assert wrong_payments(kind, SUCCEEDED, [replace(booking, booking_id="b2")])
    assert wrong_payments(kind, SUCCEEDED, [replace(booking, key="other")])


def test_an_effect_may_stay_unknown_only_where_no_key_is_honoured() -> None:
    booking = paid(Kind.MAILED, FAILED)

    assert wrong_payments(Kind.MAILED, FAILED, [booking]) == []
    assert wrong_payments(Kind.MAILED, FAILED, []) == []
    assert wrong_payments(Kind.MAILED, FAILED, [booking, booking])
    assert wrong_payments(Kind.CHARGED, FAILED, [])
    other = replace(FAILED, error=TaskError("ConnectionError", "later"))
    assert wrong_payments(Kind.MAILED, other, [])
