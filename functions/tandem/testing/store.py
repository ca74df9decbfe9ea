"""The task store in memory."""

from dataclasses import replace
from threading import Lock

from tandem.domain.changes import Change
from tandem.domain.clock import to_text
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import InlinePayload, Task
from tandem.ports import ChangeRefused, TaskExists, TaskFilter, TaskPage


class MemoryTaskStore:
    """Keeps tasks in a dictionary; safe for threads."""

    def __init__(self) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self._lock = Lock()

    def put(self, task: Task) -> None:
        """Record a new task, or raise TaskExists."""
        with self._lock:
            if task.task_id in self.tasks:
                raise TaskExists
            self.tasks[task.task_id] = task

    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is, or raise ChangeRefused."""
        with self._lock:
            task = self.tasks.get(task_id)
            if task is None or not change.allowed(task):
                raise ChangeRefused(task)
            self.tasks[task_id] = change.apply(task)
            return self.tasks[task_id]

    def get(self, task_id: TaskId) -> Task | None:
        """Return the task as last written, or None."""
        return self.tasks.get(task_id)

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, from the cursor on."""
        with self._lock:
            found = sorted(
                (
                    task
                    for task in self.tasks.values()
                    if task.tenant == tenant
                    and wanted.matches(task)
                    and (cursor is None or _position(task) < cursor)
                ),
                key=_position,
                reverse=True,
            )
        page = [replace(task, input=InlinePayload(""), output=None) for task in found[:limit]]
        return TaskPage(page, _position(page[-1]) if len(found) > limit else None)


def _position(task: Task) -> str:
    return f"{to_text(task.created_at)}#{task.task_id}"
