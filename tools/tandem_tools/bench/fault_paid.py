"""The audit of `ctx.once` in a soak through faults."""

import json
from collections import Counter
from typing import Any

from tandem.ids import TaskId
from tandem.tasks.effects import idempotency_key
from tandem.tasks.task import InlinePayload, State, Task
from tandem_tools.bench.fault_receiver import Booking, Bookings
from tandem_tools.bench.fault_stored import CRASHED, Stored
from tandem_tools.bench.fault_tasks import CHARGING, PAYING, PAYING_PROCESSOR, PAYMENT, Planned
from tandem_tools.bench.soak_audit import Audit

UNKNOWN = "EffectUnknown"


def audit_payments(
    found: Audit, tasks: list[tuple[Planned, Task]], bookings: list[Booking], stored: Stored
) -> None:
    """Require of each chain of tasks one effect at most, and one where a task succeeded.

    Where the receiver honours keys, no task may end with its effect unknown. Where it does not, a
    failure must say that it is unknown, or that a processor crashed too often.

    Args:
        found: gets what is wrong.
        tasks: one seed's tasks, with what was planned for each.
        bookings: the effects at the receiver of that seed's tasks.
        stored: the table.
    """
    effects: dict[int, list[Booking]] = {}
    for booking in bookings:
        effects.setdefault(booking.number, []).append(booking)
    for planned, task in tasks:
        if planned.kind in PAYING:
            _audit_payment(found, planned, task, effects.get(planned.number, []), stored)


def paid_figures(bookings: Bookings, seed: int, tasks: list[Task]) -> dict[str, Any]:
    """Return how often effects were asked for, happened, and stayed unknown."""
    errors = Counter(task.error.type for task in tasks if task.error and task.state is State.FAILED)
    return {
        "bookings": len(bookings.of_seed(seed)),
        "booking_requests": bookings.requests[seed],
        "booking_answers_lost": sum(
            times for (of_seed, _), times in bookings.lost.items() if of_seed == seed
        ),
        "unknown": errors[UNKNOWN],
    }


def _audit_payment(
    found: Audit, planned: Planned, task: Task, bookings: list[Booking], stored: Stored
) -> None:
    name = f"{task.task_id} ({planned.kind}, {task.state}, {task.error})"
    key = idempotency_key(TaskId(stored.origin(task)), PAYING_PROCESSOR, PAYMENT)
    found.require(len(bookings) <= 1, f"{name} had {len(bookings)} effects: {bookings}")
    found.require(
        {booking.key for booking in bookings} <= {key}, f"{name} sent a key of another chain"
    )
    if task.state is State.SUCCEEDED:
        said = _booking_of(task)
        made = [booking.booking_id for booking in bookings]
        found.require([said] == made, f"{name} answered {said}, the receiver has {made}")
    elif task.state is State.FAILED:
        error = task.error.type if task.error else None
        allowed = {CRASHED} if planned.kind in CHARGING else {CRASHED, UNKNOWN}
        found.require(error in allowed, f"{name} failed: {task.error}")


def _booking_of(task: Task) -> str | None:
    if not isinstance(task.output, InlinePayload):
        return None
    booking: str = json.loads(task.output.text)["booking"]
    return booking
