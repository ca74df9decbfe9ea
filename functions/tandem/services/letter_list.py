"""A list of letters in the store, with messages beside it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from tandem.domain.task import Task
from tandem.limits import LETTERS_HIDDEN, LETTERS_LOOKED_AT, PAGE_LETTERS
from tandem.ports import DeadLetter, DeadLetterBox, TaskPage, TaskStore
from tandem.processing.context import Logger
from tandem.services.letters import (
    Letter,
    LetterFilter,
    LetterPage,
    Redrive,
    Redriven,
    Request,
    named_task,
)
from tandem.trace import described


class LetterList(ABC):
    """The operators' view of one kind of letters.

    What was given up stands on a list in the store, by the write that gave it up. The queue of dead
    letters holds only messages beside it: those that name nothing, or that no handler was given.
    """

    def __init__(self, store: TaskStore, box: DeadLetterBox, *, logger: Logger) -> None:
        self._store = store
        self._box = box
        self._logger = logger

    def peek(self, limit: int, cursor: str | None = None) -> LetterPage:
        """Return up to `limit` listed tasks, oldest first; the first page has messages, too."""
        page = self._listed(limit, cursor)
        letters = [self._letter_of(task) for task in page.tasks]
        if cursor is None:
            looked = self._box.look(limit, hide=timedelta(0))
            messages = [self._with_task(message) for message in looked]
            letters += [one for one in messages if one.task is None or not self._waits(one.task)]
        return LetterPage(letters, page.next_cursor)

    def redrive(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        """Give listed tasks, and messages, another chance; return what became of each.

        A redrive that is stopped half-way, or is asked for twice, can be repeated: each letter
        leaves its list once.
        """
        tasks = islice(self._tasks_of(wanted), request.limit)
        redriven = [self._tried(letter, request) for letter in tasks]
        if wanted.letter_ids or not wanted.by_id:
            redriven += self._messages(wanted, request)
        return redriven

    @abstractmethod
    def _listed(self, limit: int, cursor: str | None) -> TaskPage:
        """Return a page of the list."""

    @abstractmethod
    def _waits(self, task: Task) -> bool:
        """Return whether a task is on the list."""

    @abstractmethod
    def _may_be_named(self, task: Task) -> bool:
        """Return whether an answer speaks of a task that is named, on the list or off it."""

    @abstractmethod
    def _letter_of(self, task: Task) -> Letter:
        """Return the letter that a task is."""

    @abstractmethod
    def _redrive_task(self, letter: Letter, task: Task, request: Request) -> Redriven:
        """Give a listed task another chance."""

    @abstractmethod
    def _fate(self, task: Task) -> Redrive:
        """Return what a redrive does with a message that names a task."""

    @abstractmethod
    def _send(self, task: Task) -> None:
        """Send a message's task again."""

    def _tasks_of(self, wanted: LetterFilter) -> Iterator[Letter]:
        """Yield the tasks that are wanted, of the oldest `LETTERS_LOOKED_AT`."""
        if wanted.by_id:
            named = (self._store.get(task_id) for task_id in wanted.task_ids)
            tasks = [task for task in named if task is not None and self._may_be_named(task)]
            yield from filter(wanted.matches, map(self._letter_of, tasks))
            return
        cursor = None
        for _ in range(LETTERS_LOOKED_AT // PAGE_LETTERS):
            page = self._listed(PAGE_LETTERS, cursor)
            yield from filter(wanted.matches, map(self._letter_of, page.tasks))
            cursor = page.next_cursor
            if cursor is None:
                return

    def _messages(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        hide = timedelta(0) if request.dry_run else LETTERS_HIDDEN
        redriven = []
        for message in self._box.look(request.limit, hide=hide):
            named = not wanted.letter_ids or message.letter_id in wanted.letter_ids
            letter = self._with_task(message) if named else None
            if letter is not None and wanted.matches(letter):
                redriven.append(self._tried(letter, request))
            elif not request.dry_run:
                self._box.put_back(message)
        return redriven

    def _tried(self, letter: Letter, request: Request) -> Redriven:
        try:
            if letter.message is not None:
                return self._redrive_message(letter, letter.message, request)
            if letter.task is not None:
                return self._redrive_task(letter, letter.task, request)
        except Exception as error:  # noqa: BLE001 - one letter's failure is not the others'
            self._logger.error("not redriven", task_id=letter.task_id, **described(error))
            return Redriven(letter, Redrive.ERROR)
        return Redriven(letter, Redrive.KEPT)

    def _redrive_message(self, letter: Letter, message: DeadLetter, request: Request) -> Redriven:
        task = letter.task
        done = Redrive.KEPT if task is None else self._fate(task)
        again = task if done is Redrive.SENT_AGAIN else None
        if not request.dry_run:
            if again is not None:
                self._send(again)
            if done is Redrive.KEPT:
                self._box.put_back(message)
            else:
                self._box.remove(message)
        return Redriven(letter, done, again.task_id if again else None)

    def _with_task(self, message: DeadLetter) -> Letter:
        task_id = named_task(message)
        return Letter.of_message(message, self._store.get(task_id) if task_id else None)
