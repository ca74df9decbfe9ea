"""Callbacks that were given up, and another chance for them."""

from dataclasses import replace
from datetime import timedelta

from tandem.domain.callback import CallbackState
from tandem.limits import LETTERS_HIDDEN
from tandem.ports import CallbackStore, DeadLetter, DeadLetterBox, TaskStore
from tandem.services.callbacks import Callbacks
from tandem.services.dead_letters import (
    Letter,
    LetterFilter,
    LetterPage,
    Redrive,
    Redriven,
    Request,
)
from tandem.services.deliver import read_task_id


class CallbackLetters:
    """The operators' view of callbacks that were given up."""

    def __init__(
        self,
        box: DeadLetterBox,
        tasks: TaskStore,
        store: CallbackStore,
        callbacks: Callbacks,
    ) -> None:
        self._box = box
        self._tasks = tasks
        self._store = store
        self._callbacks = callbacks

    def peek(self, limit: int, cursor: str | None = None) -> LetterPage:
        """Return up to `limit` letters, oldest first, and take none from the queue."""
        del cursor
        letters = self._box.look(limit, hide=timedelta(0))
        oldest_first = sorted(letters, key=lambda letter: letter.sent_at)
        return LetterPage([self._with_task(letter) for letter in oldest_first], None)

    def redrive(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        """Send the callbacks of letters again, from their first attempt on."""
        hide = timedelta(0) if request.dry_run else LETTERS_HIDDEN
        redriven = []
        for message in self._box.look(request.limit, hide=hide):
            letter = self._with_task(message)
            named = not wanted.by_id or (
                message.letter_id in wanted.letter_ids or letter.task_id in wanted.task_ids
            )
            if named and wanted.matches(letter):
                redriven.append(self._redrive(letter, message, dry_run=request.dry_run))
            elif not request.dry_run:
                self._box.put_back(message)
        return redriven

    def _with_task(self, message: DeadLetter) -> Letter:
        task_id = message.task_id or read_task_id(message.body)
        return Letter(self._tasks.get(task_id) if task_id else None, message)

    def _redrive(self, letter: Letter, message: DeadLetter, *, dry_run: bool) -> Redriven:
        task = letter.task
        if task is None or task.callback is None or not task.state.final:
            if not dry_run:
                self._box.put_back(message)
            return Redriven(letter, Redrive.KEPT)
        if not dry_run:
            fresh = replace(task.callback, state=CallbackState.PENDING, attempts=0)
            self._store.reopen(task.task_id, fresh)
            self._callbacks.ended(task)
            self._box.remove(message)
        return Redriven(letter, Redrive.SENT_AGAIN, task.task_id)
