"""Looking at dead letters, and giving their tasks another chance."""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import State, Task
from tandem.limits import KEY_LIFETIME, LETTERS_HIDDEN
from tandem.ports import DeadLetter, DeadLetterBox, KeyUsed, Once, TaskStore
from tandem.services.deliver import read_task_id
from tandem.services.dispatch import Dispatch
from tandem.services.tasks import InputGone, ProcessorGone, Tasks


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with the task that it names, as far as there is one."""

    letter: DeadLetter
    task: Task | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters are redriven."""

    letter_ids: frozenset[str] = frozenset()
    """These only; all when there are none."""
    reason: str | None = None
    processor: str | None = None
    tenant: TenantId | None = None

    def matches(self, one: Letter) -> bool:
        """Return whether a letter is one of them."""
        task = one.task
        return (
            (not self.letter_ids or one.letter.letter_id in self.letter_ids)
            and self.reason in (None, one.letter.reason)
            and (self.processor is None or (task is not None and task.processor == self.processor))
            and (self.tenant is None or (task is not None and task.tenant == self.tenant))
        )


class Redrive(StrEnum):
    """What becomes of a letter."""

    NEW_TASK = "new-task"
    """Its task is final: a new one, linked by `retry_of`, does the work again."""
    SENT_AGAIN = "sent-again"
    """Its task is in flight, or it is a callback: its message is sent again."""
    KEPT = "kept"
    """It names no task, or one whose processor or input is gone: nobody can do it again."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """A letter, and what became of it or would."""

    letter: DeadLetter
    done: Redrive
    task_id: TaskId | None
    """The task that now does the work."""


class Remedy(Protocol):
    """What gives the work of a kind of letter another chance."""

    def plan(self, one: Letter) -> Redriven:
        """Return what would become of a letter."""
        ...

    def carry_out(
        self, one: Letter, plan: Redriven, *, requested_by: str, traceparent: str
    ) -> Redriven:
        """Do as planned, the same once for each letter, and return what became of it."""
        ...


class DeadLetters:
    """The operators' view of what was given up."""

    def __init__(self, box: DeadLetterBox, store: TaskStore, remedy: Remedy) -> None:
        self._box = box
        self._store = store
        self._remedy = remedy

    def peek(self, limit: int) -> list[Letter]:
        """Return up to `limit` letters, oldest first, and take none from the queue."""
        letters = self._box.look(limit, hide=timedelta(0))
        oldest_first = sorted(letters, key=lambda letter: letter.sent_at)
        return [self._with_task(letter) for letter in oldest_first]

    def redrive(
        self,
        wanted: LetterFilter,
        *,
        limit: int,
        dry_run: bool,
        requested_by: str,
        traceparent: str,
    ) -> list[Redriven]:
        """Give the tasks of letters another chance, and return what became of each.

        A letter is removed only when its work is on its way. A run that is stopped half-way can be
        repeated: the same letter never makes a second task.

        Args:
            wanted: which letters.
            limit: how many letters to look at.
            dry_run: return what would become of them, and change nothing.
            requested_by: the operator, kept with each new task.
            traceparent: the trace that the new tasks belong to.
        """
        hide = timedelta(0) if dry_run else LETTERS_HIDDEN
        letters = [self._with_task(letter) for letter in self._box.look(limit, hide=hide)]
        redriven = []
        for one in letters:
            if wanted.matches(one):
                plan = self._remedy.plan(one)
                if not dry_run:
                    plan = self._carry_out(one, plan, requested_by, traceparent)
                redriven.append(plan)
            elif not dry_run:
                self._box.put_back(one.letter)
        return redriven

    def _with_task(self, letter: DeadLetter) -> Letter:
        task_id = letter.task_id or read_task_id(letter.body)
        return Letter(letter, self._store.get(task_id) if task_id else None)

    def _carry_out(
        self, one: Letter, plan: Redriven, requested_by: str, traceparent: str
    ) -> Redriven:
        if plan.done is not Redrive.KEPT:
            plan = self._remedy.carry_out(
                one, plan, requested_by=requested_by, traceparent=traceparent
            )
        if plan.done is Redrive.KEPT:
            self._box.put_back(one.letter)
        else:
            self._box.remove(one.letter)
        return plan


class TaskRemedy:
    """Does a letter's task again, or sends it again while it is in flight."""

    def __init__(self, tasks: Tasks, dispatch: Dispatch, clock: Clock) -> None:
        self._tasks = tasks
        self._dispatch = dispatch
        self._clock = clock

    def plan(self, one: Letter) -> Redriven:
        """Return what would become of a letter."""
        if one.task is None or one.task.state is State.CANCELLED:
            return Redriven(one.letter, Redrive.KEPT, None)
        if one.task.state.final:
            return Redriven(one.letter, Redrive.NEW_TASK, None)
        return Redriven(one.letter, Redrive.SENT_AGAIN, one.task.task_id)

    def carry_out(
        self, one: Letter, plan: Redriven, *, requested_by: str, traceparent: str
    ) -> Redriven:
        """Do as planned, and return what became of the letter."""
        if one.task is None:
            return replace(plan, done=Redrive.KEPT)
        if plan.done is Redrive.SENT_AGAIN:
            self._dispatch.send(one.task)
            return plan
        try:
            task_id = self._again(one.letter, one.task, requested_by, traceparent)
        except (ProcessorGone, InputGone):
            return replace(plan, done=Redrive.KEPT)
        return replace(plan, task_id=task_id)

    def _again(self, letter: DeadLetter, task: Task, requested_by: str, traceparent: str) -> TaskId:
        """Submit the task again, once for each letter whatever happens in between."""
        now = self._clock.now()
        key = hashlib.sha256(f"redrive\0{letter.letter_id}".encode()).hexdigest()
        once = Once(key, task.task_id, now, now + 14 * KEY_LIFETIME)
        try:
            new = self._tasks.again(
                task, traceparent=traceparent, once=once, requested_by=requested_by
            )
        except KeyUsed as used:
            return TaskId(used.before.made)
        return new.task_id
