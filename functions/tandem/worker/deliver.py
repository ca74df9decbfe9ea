"""The handling of one message of the task queue."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from tandem.clock import Clock
from tandem.ids import TaskId, parse_uuid
from tandem.messages import SPARE_RECEIVES, Delivery, Inbox, Redeliver, hide
from tandem.processing.context import Logger
from tandem.tasks.attempt import Attempt
from tandem.tasks.dispatch import Dispatch
from tandem.tasks.execute import Execution
from tandem.tasks.outcomes import Outcome
from tandem.tasks.recovery import Recovery
from tandem.tasks.settle import OutcomeRecorder
from tandem.tasks.store import ChangeRefused
from tandem.tasks.task import State, Task, TaskError
from tandem.trace import described

MAX_BODY_CHARACTERS = 1024
"""A message holds an id: anything longer is not one of ours."""

CLAIM_PATIENCE = timedelta(seconds=5)
"""How long a claim may take at the cost of its attempt's time: longer, and a service hangs."""

OUT_OF_TIME = TaskError("OutOfTime", "the worker had too little time left to start it")


class MustRunAlone(Exception):
    """The message's task runs when nothing else does in this process: hand it in again then."""

    def __init__(self, task: Task, time_limit: timedelta) -> None:
        super().__init__(task.task_id)
        self.task = task
        self.time_limit = time_limit
        """How long it may take."""


class EndedElsewhere(Exception):
    """The attempt was given up at its deadline: whoever did so sees to the message."""


class TaskMessages:
    """Handles messages: each ends acknowledged, delivered again later, or as a dead letter.

    A message may be acknowledged when an attempt holds its task or has ended it: the store knows
    when that task is due, and the sweep finds it. A message only makes that sooner.
    """

    def __init__(
        self,
        execution: Execution,
        settlement: OutcomeRecorder,
        recovery: Recovery,
        *,
        find: Callable[[TaskId], Task | None],
        inbox: Inbox,
        dispatch: Dispatch,
        max_receives: int,
        clock: Clock,
        logger: Logger,
    ) -> None:
        """Handle messages of a queue that gives one up after `max_receives` receives."""
        self._execution = execution
        self._settlement = settlement
        self._recovery = recovery
        self._find = find
        self._last_receives = max_receives - SPARE_RECEIVES
        self._inbox = inbox
        self._dispatch = dispatch
        self._clock = clock
        self._logger = logger

    def handle(
        self,
        delivery: Delivery,
        *,
        until: datetime,
        fresh: bool = True,
        alone: bool = False,
        in_company: bool = False,
        started: Callable[[Attempt], None] | None = None,
    ) -> None:
        """Run the message's task and return when the message can be acknowledged.

        Args:
            delivery: the message.
            until: when the function stops. An attempt is given up before.
            fresh: whether the function has all of its time. Else a task that may need more than
                is left is handed back at no cost.
            alone: whether a task may be started that must run alone.
            in_company: whether other work runs in this process.
            started: called with the attempt before its processor runs.

        Raises:
            Redeliver: the message must be delivered again.
            MustRunAlone: the task was not started: others run.
            EndedElsewhere: somebody else sees to the message.
        """
        task_id = read_task_id(delivery.body)
        if task_id is None:
            self._dead_letter(delivery, None, "unparsable", "the message names no task")
            return
        asked_at = self._clock.now()
        try:
            attempt = self._execution.claim(
                task_id, until=until, alone=alone, in_company=in_company
            )
        except ChangeRefused as refused:
            if not refused.deleted:
                self._refused(delivery, task_id, refused.task, alone=alone)
            return
        if started is not None:
            started(attempt)
        late = self._clock.now() - asked_at > CLAIM_PATIENCE
        if (late and self._lacks_time(attempt)) or (not fresh and attempt.deadline >= until):
            self._wait_for(self._settlement.hand_back(attempt, OUT_OF_TIME))
            return
        outcome = self._execution.run(attempt)
        if not attempt.close():
            raise EndedElsewhere
        self._settle(attempt, outcome)

    def _lacks_time(self, attempt: Attempt) -> bool:
        """Return whether an attempt has less left than its task may need."""
        needed = self._execution.time_limit(attempt.task)
        return attempt.deadline - self._clock.now() < needed

    def time_out(self, attempt: Attempt) -> None:
        """End an attempt, closed by the caller, that outran its deadline. As `handle` otherwise."""
        self._settle(attempt, self._execution.timed_out(attempt))

    def redeliver(self, delivery: Delivery, again: Redeliver) -> bool:
        """Hide a message until it is to be delivered again, or replace it. Never fails.

        The queue gives up a message that is received too often, and its task waits on. So a new one
        takes its place before, unless handling it failed: that is what the queue gives up for.

        Returns:
            Whether a new message was sent: this one is done with.
        """
        last = delivery.receive_count >= self._last_receives
        if last and not again.by_error and self._replaced(delivery, again):
            return True
        if not hide(self._inbox, delivery, again.wait, self._logger) and again.task is not None:
            self._dispatch.send(again.task)
        return False

    def _replaced(self, delivery: Delivery, again: Redeliver) -> bool:
        task = again.task or self._waiting_task(delivery)
        return task is not None and self._dispatch.send_after(again.wait_for_new(delivery), task)

    def _waiting_task(self, delivery: Delivery) -> Task | None:
        """Return the task of a message that was not begun, when it waits for one."""
        task_id = read_task_id(delivery.body)
        try:
            task = self._find(task_id) if task_id is not None else None
        except Exception as error:  # noqa: BLE001 - the message comes again, and is replaced then
            self._logger.warning("not replaced", **described(error))
            return None
        return task if task is not None and task.state is State.QUEUED else None

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        try:
            task = self._settlement.settle(attempt, outcome)
        except ChangeRefused:
            # Another attempt holds the task, or it has ended.
            return
        self._wait_for(task)

    def _wait_for(self, task: Task) -> None:
        """Ask for another delivery when the task waits for one."""
        if task.state is State.QUEUED and not task.waits_for_sweep:
            raise Redeliver(self._until(task.not_before), task=task)

    def _refused(
        self, delivery: Delivery, task_id: TaskId, task: Task | None, *, alone: bool
    ) -> None:
        if task is None:
            self._dead_letter(delivery, task_id, "unknown-task", "there is no such task")
        elif task.state is State.QUEUED and task.attempts < task.max_attempts:
            if task.alone and not alone and not self._until(task.not_before):
                raise MustRunAlone(task, self._execution.time_limit(task))
            self._wait_for(task)
        elif task.state is State.RUNNING and not self._until(task.lease_until):
            # Its attempt died: it runs again where its message is.
            self._wait_for(self._recover(task))

    def _recover(self, task: Task) -> Task:
        try:
            return self._recovery.recover(task)
        except ChangeRefused as refused:
            return refused.task or task

    def _until(self, moment: datetime | None) -> timedelta:
        now = self._clock.now()
        return max((moment or now) - now, timedelta(0))

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
    """Return the task that a message names. None when it is not one of Tandem's messages."""
    if len(body) > MAX_BODY_CHARACTERS:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    named = document.get("task_id") if isinstance(document, dict) else None
    known = parse_uuid(named) if isinstance(named, str) else None
    return TaskId(known) if known else None
