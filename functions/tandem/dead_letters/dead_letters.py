"""Failed tasks and messages that wait for a decision, and another chance for them."""

from enum import StrEnum

from tandem.cursor import place_in
from tandem.dead_letters.letter_list import LetterList
from tandem.dead_letters.letters import Letter, Redrive, Redriven, Request
from tandem.ids import TaskId
from tandem.messages import DeadLetterBox
from tandem.processing.context import Logger
from tandem.tasks.actions import InputGone, ProcessorGone, Tasks
from tandem.tasks.dispatch import Dispatch
from tandem.tasks.store import AlreadyRetried, TaskPage, TaskStore
from tandem.tasks.task import Mode, State, Task, TaskError


class Reason(StrEnum):
    """Why a task failed."""

    PERMANENT = "permanent"
    """Trying again would change nothing."""
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    """Its last attempt failed, or died."""
    FAILED_ONLINE = "failed-online"
    """It failed while its caller waited, who was told: such a task is tried once."""


def reason_of(task: Task) -> Reason:
    """Return why a failed task did."""
    if task.error is not None and task.error.permanent:
        return Reason.PERMANENT
    if task.mode is Mode.ONLINE and task.attempts < task.max_attempts:
        return Reason.FAILED_ONLINE
    return Reason.ATTEMPTS_EXHAUSTED


class DeadLetters(LetterList):
    """The operators' view of failed tasks.

    A failed task is its own dead letter, and is done again once, ever.
    """

    def __init__(
        self,
        store: TaskStore,
        box: DeadLetterBox,
        tasks: Tasks,
        dispatch: Dispatch,
        *,
        logger: Logger,
    ) -> None:
        super().__init__(store, box, logger=logger)
        self._tasks = tasks
        self._dispatch = dispatch

    def _listed(self, limit: int, cursor: str | None) -> TaskPage:
        return self._store.failed(limit=limit, cursor=cursor)

    def _place(self, task: Task) -> str:
        return place_in(task.listed_at or task.created_at, task.task_id)

    def _waits(self, task: Task) -> bool:
        return task.listed_at is not None

    def _may_be_named(self, task: Task) -> bool:
        return task.state is State.FAILED

    def _letter_of(self, task: Task) -> Letter:
        error = task.error or TaskError("Unknown", "")
        return Letter(
            task=task,
            reason=reason_of(task),
            error=f"{error.type}: {error.message}",
            since=task.listed_at,
        )

    def _redrive_task(self, letter: Letter, task: Task, request: Request) -> Redriven:
        try:
            return Redriven(letter, Redrive.NEW_TASK, self._again(task, request))
        except AlreadyRetried as already:
            return Redriven(letter, Redrive.ALREADY, already.retried_as)
        except (ProcessorGone, InputGone):
            return Redriven(letter, Redrive.KEPT)

    def _again(self, listed: Task, request: Request) -> TaskId | None:
        """Submit a failed task again, and return the new one. None in a dry run."""
        # A listing leaves the input out.
        task = listed if request.dry_run else self._store.get(listed.task_id)
        if task is None or task.retried_as is not None:
            raise AlreadyRetried(task.retried_as if task else None)
        self._tasks.check_again(task)
        if request.dry_run:
            return None
        return self._tasks.again(
            task, traceparent=request.traceparent, redriven_by=request.requested_by
        ).task_id

    def _fate(self, task: Task) -> Redrive:
        return Redrive.SETTLED if task.state.final else Redrive.SENT_AGAIN

    def _send(self, task: Task) -> None:
        self._dispatch.send(task)
