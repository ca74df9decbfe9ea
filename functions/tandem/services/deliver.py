"""What the worker does with each message that the queue delivers."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId, parse_uuid
from tandem.domain.task import State, Task, TaskError
from tandem.limits import LEASE, LEASE_MARGIN
from tandem.ports import ChangeRefused, Delivery, Inbox
from tandem.services.attempt import Attempt
from tandem.services.execute import Execution
from tandem.services.outcomes import Outcome
from tandem.services.settle import Settlement

MAX_BODY_CHARACTERS = 1024
"""A message holds an id: anything longer is not one of ours."""


OUT_OF_TIME = TaskError("OutOfTime", "the worker had too little time left to start it")


class Redeliver(Exception):
    """The message is not done with: the queue must deliver it again."""


class Deliveries:
    """Handles messages: each ends acknowledged, delivered again later, or as a dead letter.

    The order of effects makes every crash harmless: the task's end is recorded before its dead
    letter is sent, and the letter is sent before the message is acknowledged.
    """

    def __init__(
        self, execution: Execution, settlement: Settlement, inbox: Inbox, clock: Clock
    ) -> None:
        self._execution = execution
        self._settlement = settlement
        self._inbox = inbox
        self._clock = clock

    def handle(
        self,
        delivery: Delivery,
        *,
        until: datetime,
        fresh: bool = True,
        started: Callable[[Attempt], None] | None = None,
    ) -> None:
        """Run the message's task and return when the message can be acknowledged.

        Args:
            delivery: the message.
            until: when the function stops; an attempt is given up before.
            fresh: whether the function has all of its time; else a task that may need more than
                is left is handed back at no cost.
            started: called with the attempt before its processor runs.

        Raises:
            Redeliver: the message must be delivered again.
        """
        task_id = read_task_id(delivery.body)
        if task_id is None:
            self._dead_letter(delivery, None, "unparsable", "the message names no task")
            return
        try:
            attempt = self._execution.claim(task_id, until=until)
        except ChangeRefused as refused:
            self._refused(delivery, task_id, refused.task)
            return
        if started is not None:
            started(attempt)
        if not fresh and attempt.deadline >= until:
            self._settled(delivery, self._settlement.hand_back(attempt, OUT_OF_TIME))
            return
        outcome = self._execution.run(attempt)
        if not attempt.close():
            raise Redeliver
        self._settle(delivery, attempt, outcome)

    def time_out(self, delivery: Delivery, attempt: Attempt) -> None:
        """End an attempt, closed by the caller, that outran its deadline; as `handle` otherwise."""
        self._settle(delivery, attempt, self._execution.timed_out(attempt))

    def extend(self, delivery: Delivery, attempt: Attempt) -> None:
        """Hold the task of a running attempt, and its message, for longer when it is time."""
        try:
            if attempt.extend():
                self._inbox.postpone(delivery.receipt_handle, LEASE + LEASE_MARGIN)
        except ChangeRefused:
            attempt.close()

    def _settle(self, delivery: Delivery, attempt: Attempt, outcome: Outcome) -> None:
        try:
            task = self._settlement.settle(attempt, outcome)
        except ChangeRefused as refused:
            if refused.task is not None and not refused.task.state.final:
                # Another attempt has the task, perhaps by this very message: keep the message.
                raise Redeliver from None
            return
        self._settled(delivery, task)

    def _settled(self, delivery: Delivery, task: Task) -> None:
        if task.state is State.QUEUED:
            self._postpone(delivery, task.not_before)
        elif task.state is State.FAILED:
            error = task.error or TaskError("Unknown", "")
            reason = "attempts-exhausted" if task.attempts >= task.max_attempts else "permanent"
            self._dead_letter(delivery, task.task_id, reason, f"{error.type}: {error.message}")

    def _refused(self, delivery: Delivery, task_id: TaskId, task: Task | None) -> None:
        redelivered = delivery.receive_count > 1
        if task is None:
            self._dead_letter(delivery, task_id, "unknown-task", "there is no such task")
        elif task.state is State.FAILED and redelivered:
            # Perhaps the worker stopped between the task's end and its dead letter.
            self._settled(delivery, task)
        elif task.state is State.QUEUED and task.attempts < task.max_attempts:
            self._postpone(delivery, task.not_before)
        elif task.state in (State.QUEUED, State.RUNNING):
            self._held(delivery, task, redelivered=redelivered)

    def _held(self, delivery: Delivery, task: Task, *, redelivered: bool) -> None:
        """Handle a message whose task is held by an attempt, or was by one that died."""
        now = self._clock.now()
        if task.lease_until is None or task.lease_until <= now:
            try:
                self._settled(delivery, self._settlement.end_dead(task.task_id))
            except ChangeRefused:
                self._postpone(delivery, now + LEASE_MARGIN)
        elif redelivered:
            # Perhaps the very message of an attempt that died: look again when its lease is over.
            self._postpone(delivery, task.lease_until)

    def _postpone(self, delivery: Delivery, until: datetime | None) -> None:
        delay = max((until or self._clock.now()) - self._clock.now(), timedelta(0))
        self._inbox.postpone(delivery.receipt_handle, delay)
        raise Redeliver

    def _dead_letter(
        self, delivery: Delivery, task_id: TaskId | None, reason: str, error: str
    ) -> None:
        self._inbox.dead_letter(
            delivery.body,
            message_id=delivery.message_id,
            reason=reason,
            error=error,
            task_id=task_id,
        )


def read_task_id(body: str) -> TaskId | None:
    """Return the task that a message names; None when it is not one of Tandem's messages."""
    if len(body) > MAX_BODY_CHARACTERS:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    named = document.get("task_id") if isinstance(document, dict) else None
    known = parse_uuid(named) if isinstance(named, str) else None
    return TaskId(known) if known else None
