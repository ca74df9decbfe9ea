"""A list of letters in the store, with messages beside it."""

from abc import ABC, abstractmethod
from datetime import timedelta

from tandem.cursor import to_cursor
from tandem.dead_letters.letters import (
    Letter,
    LetterFilter,
    LetterPage,
    Redrive,
    Redriven,
    RedrivePage,
    Request,
    named_task,
)
from tandem.ids import TaskId
from tandem.limits import LETTERS_HIDDEN, LETTERS_LOOKED_AT, PAGE_LETTERS
from tandem.messages import DeadLetter, DeadLetterBox
from tandem.processing.context import Logger
from tandem.tasks.store import TaskPage, TaskStore
from tandem.tasks.task import Task
from tandem.trace import described

EVERY = LetterFilter()


class LetterList(ABC):
    """The operators' view of one kind of letters.

    What was given up stands on a list in the store, by the write that gave it up. The queue of dead
    letters holds only messages beside it: those that name nothing, or that no handler was given.
    """

    def __init__(self, store: TaskStore, box: DeadLetterBox, *, logger: Logger) -> None:
        self._store = store
        self._box = box
        self._logger = logger

    def peek(
        self, limit: int, cursor: str | None = None, wanted: LetterFilter = EVERY
    ) -> LetterPage:
        """Return up to `limit` listed tasks, oldest first. The first page has messages, too.

        Raises:
            CursorInvalid: no listing gave the cursor.
        """
        page = self._look(wanted, limit, cursor)
        letters = list(page.letters)
        if cursor is None:
            looked = self._box.look(limit, hide=timedelta(0))
            messages = [self._with_task(message) for message in looked]
            beside = [
                message
                for message in messages
                if message.task is None or not self._waits(message.task)
            ]
            letters += filter(wanted.matches, beside)
        return LetterPage(letters, page.next_cursor)

    def redrive(self, wanted: LetterFilter, request: Request) -> RedrivePage:
        """Give listed tasks, and messages, another chance. Return what became of each.

        A redrive that is stopped half-way, or is asked for twice, can be repeated: each letter
        leaves its list once.

        Raises:
            CursorInvalid: no listing gave the cursor.
        """
        if wanted.by_id:
            redriven, cursor = self._named(wanted, request), None
        else:
            page = self._look(wanted, request.limit, request.cursor)
            redriven = [self._tried(letter, request) for letter in page.letters]
            cursor = page.next_cursor
        if request.cursor is None and (wanted.letter_ids or not wanted.by_id):
            redriven += self._messages(wanted, request)
        return RedrivePage(redriven, cursor)

    @abstractmethod
    def _listed(self, limit: int, cursor: str | None) -> TaskPage:
        """Return a page of the list."""

    @abstractmethod
    def _place(self, task: Task) -> str:
        """Return where a task stands on the list."""

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

    def _named(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        """Redrive the tasks that are named: each is read by itself, and ends by itself."""
        redriven: list[Redriven] = []
        for task_id in wanted.task_ids:
            if len(redriven) == request.limit:
                break
            letter = self._read(task_id, request)
            if isinstance(letter, Redriven):
                redriven.append(letter)
            elif letter is not None and wanted.matches(letter):
                redriven.append(self._tried(letter, request))
        return redriven

    def _read(self, task_id: TaskId, request: Request) -> Letter | Redriven | None:
        """Return the letter that a named task is, if it is one. Or why it was not read."""
        if request.over():
            return Redriven(Letter.unread(task_id), Redrive.LEFT)
        try:
            task = self._store.get(task_id)
        except Exception as error:  # noqa: BLE001 - one letter's failure is not the others'
            self._logger.error("not redriven", task_id=task_id, **described(error))
            return Redriven(Letter.unread(task_id), Redrive.ERROR)
        if task is None or not self._may_be_named(task):
            return None
        return self._letter_of(task)

    def _look(self, wanted: LetterFilter, limit: int, cursor: str | None) -> LetterPage:
        """Return up to `limit` wanted tasks, of the next `LETTERS_LOOKED_AT` or fewer."""
        found: list[Letter] = []
        for _ in range(LETTERS_LOOKED_AT // PAGE_LETTERS):
            page = self._listed(PAGE_LETTERS if wanted.by_kind else limit, cursor)
            cursor = page.next_cursor
            for index, task in enumerate(page.tasks, start=1):
                letter = self._letter_of(task)
                if wanted.matches(letter):
                    found.append(letter)
                if len(found) == limit:
                    more = index < len(page.tasks)
                    return LetterPage(found, to_cursor(self._place(task)) if more else cursor)
            if cursor is None:
                break
        return LetterPage(found, cursor)

    def _messages(self, wanted: LetterFilter, request: Request) -> list[Redriven]:
        if request.over():
            return []
        hide = timedelta(0) if request.dry_run else LETTERS_HIDDEN
        redriven = []
        for message in self._box.look(request.limit, hide=hide):
            named = not wanted.letter_ids or message.letter_id in wanted.letter_ids
            done = self._tried_message(message, wanted, request) if named else None
            if done is not None:
                redriven.append(done)
            elif not request.dry_run:
                self._box.put_back(message)
        return redriven

    def _tried_message(
        self, message: DeadLetter, wanted: LetterFilter, request: Request
    ) -> Redriven | None:
        """Redrive a message. Return None when it is none of those that are wanted."""
        try:
            letter = self._with_task(message)
        except Exception as error:  # noqa: BLE001 - one letter's failure is not the others'
            self._logger.error("not redriven", letter_id=message.letter_id, **described(error))
            return Redriven(Letter.of_message(message, None), Redrive.ERROR)
        return self._tried(letter, request) if wanted.matches(letter) else None

    def _tried(self, letter: Letter, request: Request) -> Redriven:
        if request.over():
            return Redriven(letter, Redrive.LEFT)
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
        done = self._fate_without_task(letter) if task is None else self._fate(task)
        again = task if done is Redrive.SENT_AGAIN else None
        if not request.dry_run:
            if again is not None:
                self._send(again)
            if done is Redrive.KEPT:
                self._box.put_back(message)
            else:
                self._box.remove(message)
        return Redriven(letter, done, again.task_id if again else None)

    def _fate_without_task(self, letter: Letter) -> Redrive:
        """Return what a redrive does with a message whose task is not there."""
        deleted = letter.task_id is not None and self._store.deletion(letter.task_id) is not None
        return Redrive.SETTLED if deleted else Redrive.KEPT

    def _with_task(self, message: DeadLetter) -> Letter:
        task_id = named_task(message)
        return Letter.of_message(message, self._store.get(task_id) if task_id else None)
