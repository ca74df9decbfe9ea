"""A writer of tasks that makes writes twice where it must, and hands over callbacks."""

from collections.abc import Callable
from typing import override

from tandem.callbacks.dispatch import Callbacks
from tandem.contended import Contended
from tandem.ids import TaskId
from tandem.tasks.store import (
    AlreadyRetried,
    ChangeRefused,
    Follows,
    IdempotencyKey,
    KeyUsed,
    TaskWriter,
)
from tandem.tasks.task import Task
from tandem.tasks.transitions import Change


class AnnouncingWriter(TaskWriter):
    """Hands over the callback of each task that ends by one of its writes.

    So whoever ends a task, by whatever change, cannot forget it. And it makes a write once more
    that failed: a write that decides something knows itself again, whether it was made or not, so a
    service that does not answer for a while burns no attempt.
    """

    def __init__(self, tasks: TaskWriter, callbacks: Callbacks) -> None:
        self._tasks = tasks
        self._callbacks = callbacks

    @override
    def put(
        self, task: Task, *, once: IdempotencyKey | None = None, follows: Follows | None = None
    ) -> None:
        """Record a new task, which may be final from the start."""
        _twice(lambda: self._tasks.put(task, once=once, follows=follows))
        self._announce(task)

    @override
    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is."""
        if change.write_field is None:
            return self._tasks.change(task_id, change)
        task = _twice(lambda: self._tasks.change(task_id, change))
        self._announce(task)
        return task

    def _announce(self, task: Task) -> None:
        if task.callback is not None and task.state.final:
            self._callbacks.ended(task)


_ANSWERS = (ChangeRefused, KeyUsed, AlreadyRetried, Contended)


def _twice[T](write: Callable[[], T]) -> T:
    """Make a write, and once more when it failed without an answer."""
    try:
        return write()
    except _ANSWERS:
        raise
    except Exception:  # noqa: BLE001 - what it fails with again is raised
        return write()
