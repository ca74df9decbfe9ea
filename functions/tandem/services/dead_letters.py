"""Failed tasks and messages that wait for a decision, and another chance for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import Mode, State, Task, TaskError
from tandem.limits import LETTERS_HIDDEN, LETTERS_LOOKED_AT, PAGE_LETTERS
from tandem.ports import AlreadyRetried, DeadLetter, DeadLetterBox, TaskStore
from tandem.processing.context import Logger
from tandem.services.deliver import read_task_id
from tandem.services.dispatch import Dispatch
from tandem.services.tasks import InputGone, ProcessorGone, Tasks
from tandem.trace import described


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


@dataclass(frozen=True, slots=True)
class Letter:
    """A failed task, or a message that the queue gave up."""

    task: Task | None
    """The failed task; of a message, the task that it names, if there is one."""
    message: DeadLetter | None = None

    @property
    def task_id(self) -> TaskId | None:
        """The task; None when the message names none."""
        if self.task is not None:
            return self.task.task_id
        if self.message is None:
            return None
        return self.message.task_id or read_task_id(self.message.body)

    @property
    def reason(self) -> str:
        """Why it is here."""
        if self.message is not None:
            return self.message.reason
        return reason_of(self.task) if self.task else ""

    @property
    def error(self) -> str:
        """The error in one line."""
        if self.message is not None:
            return self.message.error
        error = (self.task and self.task.error) or TaskError("Unknown", "")
        return f"{error.type}: {error.message}"

    @property
    def since(self) -> datetime | None:
        """When the task failed, or the message was given up."""
        if self.message is not None:
            return self.message.sent_at
        return self.task.listed_at if self.task else None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Some of the letters."""

    letters: list[Letter]
    next_cursor: str | None
    """Where the next page starts; None after the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters are redriven: all that nothing rules out."""

    task_ids: tuple[TaskId, ...] = ()
    """These failed tasks, and no messages unless `letter_ids` names some."""
    letter_ids: frozenset[str] = frozenset()
    """These messages, and no tasks unless `task_ids` names some."""
    reason: str | None = None
    processor: str | None = None
    tenant: TenantId | None = None

    @property
    def by_id(self) -> bool:
        """Whether it names what it wants."""
        return bool(self.task_ids or self.letter_ids)

    def matches(self, letter: Letter) -> bool:
        """Return whether a letter has the reason, processor and tenant that are asked for."""
        task = letter.task
        return (
            self.reason in (None, letter.reason)
            and (self.processor is None or (task is not None and task.processor == self.processor))
            and (self.tenant is None or (task is not None and task.tenant == self.tenant))
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
    """The message's task has ended: the message is removed."""
    KEPT = "kept"
    """It names no task, or one whose processor or input is gone: nobody can do it again."""
    ERROR = "error"
    """An error stopped it, and it waits as before: ask again."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """A letter, and what became of it or would."""

    letter: Letter
    done: Redrive
    task_id: TaskId | None = None
    """The task that now does the work."""


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


class DeadLetters:
    """The operators' view of what was given up.

    A failed task is its own dead letter: the write that fails it puts it on the list. The queue of
    dead letters holds only messages that name no task, or that no handler could be given.
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
        self._store = store
        self._box = box
        self._tasks = tasks
        self._dispatch = dispatch
        self._logger = logger

    def peek(self, limit: int, cursor: str | None = None) -> LetterPage:
        """Return up to `limit` failed tasks, oldest first; the first page has messages, too."""
        page = self._store.failed(limit=limit, cursor=cursor)
        letters = [Letter(task) for task in page.tasks]
        if cursor is None:
            looked = self._box.look(limit, hide=timedelta(0))
            messages = [self._with_task(message) for message in looked]
            letters += [one for one in messages if one.task is None or not one.task.listed_at]
        return LetterPage(letters, page.next_cursor)

    def redrive(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        """Give failed tasks, and messages, another chance; return what became of each.

        A failed task is done again once, ever. So a run that is stopped half-way, or is asked for
        twice, can be repeated.
        """
        tasks = islice(self._tasks_of(wanted), request.limit)
        redriven = [self._redrive_task(letter, request) for letter in tasks]
        if wanted.letter_ids or not wanted.by_id:
            redriven += self._messages(wanted, request)
        return redriven

    def _tasks_of(self, wanted: LetterFilter) -> Iterator[Letter]:
        """Yield the failed tasks that are wanted, of the oldest `LETTERS_LOOKED_AT`."""
        if wanted.by_id:
            named = (self._store.get(task_id) for task_id in wanted.task_ids)
            tasks = [task for task in named if task is not None and task.state is State.FAILED]
            yield from filter(wanted.matches, map(Letter, tasks))
            return
        cursor = None
        for _ in range(LETTERS_LOOKED_AT // PAGE_LETTERS):
            page = self._store.failed(limit=PAGE_LETTERS, cursor=cursor)
            yield from filter(wanted.matches, map(Letter, page.tasks))
            cursor = page.next_cursor
            if cursor is None:
                return

    def _redrive_task(self, letter: Letter, request: Request) -> Redriven:
        try:
            return Redriven(letter, Redrive.NEW_TASK, self._again(letter.task, request))
        except AlreadyRetried as already:
            return Redriven(letter, Redrive.ALREADY, already.retried_as)
        except (ProcessorGone, InputGone):
            return Redriven(letter, Redrive.KEPT)
        except Exception as error:  # noqa: BLE001 - one letter's failure is not the others'
            self._logger.error("not redriven", task_id=letter.task_id, **described(error))
            return Redriven(letter, Redrive.ERROR)

    def _again(self, listed: Task | None, request: Request) -> TaskId | None:
        """Submit a failed task again, and return the new one; None in a dry run."""
        # A listing leaves the input out.
        task = self._store.get(listed.task_id) if listed and not request.dry_run else listed
        if task is None or task.retried_as is not None:
            raise AlreadyRetried(task.retried_as if task else None)
        self._tasks.check_again(task)
        if request.dry_run:
            return None
        return self._tasks.again(
            task, traceparent=request.traceparent, redriven_by=request.requested_by
        ).task_id

    def _messages(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        hide = timedelta(0) if request.dry_run else LETTERS_HIDDEN
        redriven = []
        for message in self._box.look(request.limit, hide=hide):
            named = not wanted.letter_ids or message.letter_id in wanted.letter_ids
            letter = self._with_task(message) if named else None
            if letter is not None and wanted.matches(letter):
                redriven.append(self._redrive_message(letter, message, request))
            elif not request.dry_run:
                self._box.put_back(message)
        return redriven

    def _redrive_message(self, letter: Letter, message: DeadLetter, request: Request) -> Redriven:
        task = letter.task
        if task is None:
            done = Redriven(letter, Redrive.KEPT)
        elif task.state.final:
            done = Redriven(letter, Redrive.SETTLED)
        else:
            done = Redriven(letter, Redrive.SENT_AGAIN, task.task_id)
        if request.dry_run:
            return done
        try:
            if task is None:
                self._box.put_back(message)
                return done
            if done.done is Redrive.SENT_AGAIN:
                self._dispatch.send(task)
            self._box.remove(message)
        except Exception as error:  # noqa: BLE001 - one letter's failure is not the others'
            self._logger.error("not redriven", task_id=task and task.task_id, **described(error))
            return Redriven(letter, Redrive.ERROR)
        return done

    def _with_task(self, message: DeadLetter) -> Letter:
        task_id = message.task_id or read_task_id(message.body)
        return Letter(self._store.get(task_id) if task_id else None, message)
