"""Dead letters that wait for a decision, and the outcome of a redrive."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tandem.ids import TaskId, TenantId
from tandem.messages import DeadLetter
from tandem.tasks.task import State, Task
from tandem.worker.deliver import read_task_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A task that waits for a decision, or a message that the queue gave up."""

    task: Task | None
    """The task. Of a message, the one that it names, if there is one."""
    reason: str
    """Why it is here."""
    error: str
    """The error in one line."""
    since: datetime | None
    """When it was given up."""
    message: DeadLetter | None = None
    named: TaskId | None = None
    """A task that was asked for by its id and that could not be read."""

    @staticmethod
    def unread(task_id: TaskId) -> "Letter":
        """Return the letter of a task that was asked for and was not read."""
        return Letter(task=None, reason="", error="", since=None, named=task_id)

    @staticmethod
    def of_message(message: DeadLetter, task: Task | None) -> "Letter":
        """Return the letter that a message is."""
        return Letter(
            task=task,
            reason=message.reason,
            error=message.error,
            since=message.sent_at,
            message=message,
        )

    @property
    def own_fault(self) -> bool | None:
        """Whether the processor or the deployment is at fault. None where no task failed."""
        error = self.task.error if self.task and self.task.state is State.FAILED else None
        return None if error is None else not error.callers

    @property
    def task_id(self) -> TaskId | None:
        """The task. None when the message names none."""
        if self.task is not None:
            return self.task.task_id
        return named_task(self.message) if self.message else self.named


def named_task(message: DeadLetter) -> TaskId | None:
    """Return the task that a message names, or None."""
    return message.task_id or read_task_id(message.body)


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Some of the letters."""

    letters: list[Letter]
    next_cursor: str | None
    """Where the next page starts. None after the last one. A page can have fewer letters than are
    wanted, or none, and lead on all the same: a look has its bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters are shown or redriven: all that nothing rules out."""

    task_ids: tuple[TaskId, ...] = ()
    """These tasks, and no messages unless `letter_ids` names some."""
    letter_ids: frozenset[str] = frozenset()
    """These messages, and no tasks unless `task_ids` names some."""
    reason: str | None = None
    processor: str | None = None
    tenant: TenantId | None = None
    own_fault: bool | None = None
    """Failed tasks that are the processor's or the deployment's fault, or those that are not."""

    @property
    def by_id(self) -> bool:
        """Whether it names what it wants."""
        return bool(self.task_ids or self.letter_ids)

    @property
    def by_kind(self) -> bool:
        """Whether it asks for letters of some kind."""
        asked = (self.reason, self.processor, self.tenant, self.own_fault)
        return any(value is not None for value in asked)

    def matches(self, letter: Letter) -> bool:
        """Return whether a letter is of the kind that is asked for."""
        task = letter.task
        return (
            self.reason in (None, letter.reason)
            and (self.processor is None or (task is not None and task.processor == self.processor))
            and (self.tenant is None or (task is not None and task.tenant == self.tenant))
            and self.own_fault in (None, letter.own_fault)
        )


class Redrive(StrEnum):
    """What becomes of a letter."""

    NEW_TASK = "new-task"
    """A new task, linked by `retry_of`, does the failed one again."""
    ALREADY = "already-retried"
    """Its owner or an operator had it done again before: it is done again once."""
    SENT_AGAIN = "sent-again"
    """The message's task is in flight, or it is a callback: it is sent again."""
    SETTLED = "settled"
    """Nothing is left to do: the task has ended or was deleted, or its callback was delivered."""
    KEPT = "kept"
    """It names no task, or one whose processor or input is gone: nobody can do it again."""
    ERROR = "error"
    """An error stopped it, and it waits as before: ask again."""
    LEFT = "left"
    """There was no time for it, and it waits as before: ask again."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """A letter, and what became of it or would."""

    letter: Letter
    done: Redrive
    task_id: TaskId | None = None
    """The task that now does the work."""


@dataclass(frozen=True, slots=True)
class RedrivePage:
    """What became of some letters, or would."""

    letters: list[Redriven]
    next_cursor: str | None
    """Where to go on, when the look ended before the list did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How a redrive is carried out."""

    limit: int
    """How many letters at most."""
    dry_run: bool
    """Whether to return what would become of them, and change nothing."""
    requested_by: str
    """The operator, kept with each new task."""
    traceparent: str
    """The trace that the new tasks belong to."""
    cursor: str | None = None
    """Where a redrive before ended."""
    over: Callable[[], bool] = lambda: False
    """Whether the time for it is over: what is left then is not begun."""
