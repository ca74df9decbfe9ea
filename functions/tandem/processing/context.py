"""The context that a running processor is given."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pydantic import BaseModel

if TYPE_CHECKING:
    from tandem.ids import TaskId
    from tandem.tasks.effects import Unknown


class Abandoned(Exception):
    """The attempt no longer holds its task: whatever it still does has no effect."""


class SavedFile(BaseModel):
    """A file that is the result of a task, for the processor's output model."""

    name: str
    content_type: str
    size_bytes: int


class Logger(Protocol):
    """The part of a logger that a processor uses. Keyword arguments become fields."""

    def info(self, msg: object, **fields: Any) -> None:
        """Log what happened."""
        ...

    def error(self, msg: object, **fields: Any) -> None:
        """Log what went wrong."""
        ...

    def warning(self, msg: object, **fields: Any) -> None:
        """Log what should be looked at."""
        ...


class Pool(Protocol):
    """The bounded threads of this execution environment."""

    @property
    def size(self) -> int:
        """How many threads there are."""
        ...

    def map[T, R](self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the work's results for the items, in their order, on the free threads."""
        ...


class TaskContext[S = Any](Protocol):
    """What a processor is given beside its input.

    `TaskContext[Model]` says of which model its settings are.
    """

    @property
    def task_id(self) -> "TaskId":
        """The task's id: another one when the task is retried or redriven."""
        ...

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        ...

    @property
    def deadline(self) -> datetime:
        """When the attempt is given up."""
        ...

    @property
    def logger(self) -> Logger:
        """A logger whose lines carry the task's id. Never log input with it."""
        ...

    @property
    def settings(self) -> S:
        """The settings of the model that the processor declares, as they were at its start.

        Raises:
            Permanent: it declares none.
        """
        ...

    @property
    def pool(self) -> Pool:
        """Threads for parallel work inside the task."""
        ...

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Say how far the work is. Written at most once a second.

        Raises:
            Abandoned: the attempt no longer holds its task.
        """
        ...

    def check_cancelled(self) -> None:
        """Return when the work should go on.

        Raises:
            Abandoned: it should not: its time is up, or the task is another's by now.
        """
        ...

    def once(self, key: str, call: Callable[[str], Any], *, unknown: "Unknown" = "fail") -> Any:
        """Return the answer of an outside effect, which happens at most once for the task.

        The effect is recorded before the call, and its answer after it. Every later attempt, retry
        and redrive of the task gets the recorded answer without a call.

        When the process stops in between, or the call raises, the effect may have happened or
        not. With `unknown="fail"` the next attempt raises EffectUnknown. With `unknown="again"` it
        calls again with the same idempotency key: the effect then happens exactly once where its
        receiver honours the key, and perhaps twice where it does not. An effect that another
        attempt is about to make at this moment counts as unknown, too.

        Example:
            def charge(idempotency_key: str) -> dict[str, str]:
                charge = bank.charge(data.cents, headers={"Idempotency-Key": idempotency_key})
                return {"charge": charge.id}

            answer = ctx.once("charge", charge, unknown="again")

        Args:
            key: the effect's name among those of the task: 1 to 255 characters. A second use in
                the attempt returns the same answer, and waits for a first one that still runs.
            call: makes the effect. It is given an idempotency key of 64 hexadecimal digits, and
                returns plain JSON values or a Pydantic model: at most 64 KB as JSON.
            unknown: what to do about an effect that was begun and has no answer.

        Returns:
            The answer as JSON has it: a model becomes a dict, a tuple a list.

        Raises:
            EffectUnknown: the effect may have happened or not. The task fails.
            Abandoned: the attempt no longer holds its task. An effect that is not begun is not
                made.
            Permanent: the call returned what JSON cannot hold, or too much of it.
        """
        ...

    def open_upload(self, upload_id: str) -> AbstractContextManager[BinaryIO]:
        """Return a stream over one of the tenant's uploads, read as it arrives.

        Raises:
            Permanent: the tenant has no such upload.
        """
        ...

    def fetch_upload(self, upload_id: str) -> AbstractContextManager[Path]:
        """Return one of the tenant's uploads as a local file, removed afterwards.

        The file keeps the suffix of the name that it was uploaded under.

        Raises:
            Permanent: the tenant has no such upload.
        """
        ...

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Keep a file as the task's result. A second call replaces the first."""
        ...
