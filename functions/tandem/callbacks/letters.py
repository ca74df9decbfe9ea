"""Callbacks that were given up, and another chance for them."""

from tandem.callbacks.callback import Callback, CallbackState
from tandem.callbacks.dispatch import Callbacks
from tandem.callbacks.ports import CallbackStore
from tandem.cursor import place_in
from tandem.dead_letters.letter_list import LetterList
from tandem.dead_letters.letters import Letter, Redrive, Redriven, Request
from tandem.messages import DeadLetterBox
from tandem.processing.context import Logger
from tandem.tasks.store import TaskPage, TaskStore
from tandem.tasks.task import Task


class CallbackLetters(LetterList):
    """The operators' view of callbacks that were given up.

    Such a callback is its own letter. The write that reopens it takes it off the list: of several
    redrives one makes it.
    """

    def __init__(
        self,
        box: DeadLetterBox,
        tasks: TaskStore,
        store: CallbackStore,
        callbacks: Callbacks,
        *,
        logger: Logger,
    ) -> None:
        super().__init__(tasks, box, logger=logger)
        self._callback_store = store
        self._callbacks = callbacks

    def _listed(self, limit: int, cursor: str | None) -> TaskPage:
        return self._callback_store.given_up(limit=limit, cursor=cursor)

    def _place(self, task: Task) -> str:
        return place_in(task.finished_at or task.created_at, task.task_id)

    def _waits(self, task: Task) -> bool:
        return task.callback is not None and task.callback.state is CallbackState.FAILED

    def _may_be_named(self, task: Task) -> bool:
        return task.callback is not None and task.state.final

    def _letter_of(self, task: Task) -> Letter:
        callback = task.callback or Callback(url="")
        return Letter(
            task=task,
            reason=callback.reason or "",
            error=callback.error or "",
            since=callback.failed_at,
        )

    def _redrive_task(self, letter: Letter, task: Task, request: Request) -> Redriven:
        if not self._waits(task):
            return Redriven(letter, self._moved_on(task), task.task_id)
        if not request.dry_run and not self._reopen(task):
            return Redriven(letter, Redrive.ALREADY, task.task_id)
        return Redriven(letter, Redrive.SENT_AGAIN, task.task_id)

    def _moved_on(self, task: Task) -> Redrive:
        delivered = task.callback and task.callback.state is CallbackState.DELIVERED
        return Redrive.SETTLED if delivered else Redrive.ALREADY

    def _reopen(self, task: Task) -> bool:
        """Let a callback start again, and give it to the queue. Return whether this did it.

        A callback that the queue is not given waits in the store: it is swept.
        """
        callback = (task.callback or Callback(url="")).reopened()
        if not self._callback_store.reopen(task.task_id, callback):
            return False
        self._callbacks.ended(task)
        return True

    def _fate(self, task: Task) -> Redrive:
        if task.callback is None or not task.state.final:
            return Redrive.KEPT
        delivered = task.callback.state is CallbackState.DELIVERED
        return Redrive.SETTLED if delivered else Redrive.SENT_AGAIN

    def _send(self, task: Task) -> None:
        # A callback that is not reopened waits nowhere but in the message: that stays on an error.
        if not self._reopen(task):
            self._callbacks.give(task)
