"""The port of the task store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tandem.ids import TaskId, TenantId
from tandem.tasks.task import DueTask, State, Task
from tandem.tasks.transitions import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What is left of a task that its owner deleted: nothing of its content."""

    task_id: TaskId
    deleted_at: datetime
    finished_at: datetime | None
    """When the task had ended. None once no report can count it any more."""
    cache_key: str | None
    """Under which its output may be kept for the same input."""


class AlreadyRetried(Exception):
    """Another task does the failed one again, or it is gone. Nothing was recorded."""

    def __init__(self, retried_as: TaskId | None) -> None:
        super().__init__(retried_as)
        self.retried_as = retried_as


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's idempotency key: what was made under it is made once."""

    key: str
    """Names the caller's tenant and key."""
    fingerprint: str
    """Of the request. The same key with another request is a mistake."""
    now: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PriorUse:
    """What a key was used for."""

    fingerprint: str
    made: str
    """The id of what was made."""


class KeyUsed(Exception):
    """The idempotency key was used before. Nothing was recorded."""

    def __init__(self, before: PriorUse) -> None:
        super().__init__(before.made)
        self.before = before


class ChangeRefused(Exception):
    """The task is not in a state that allows the change."""

    def __init__(self, task: Task | None, *, deleted: bool = False) -> None:
        super().__init__(task.state if task else "no such task")
        self.task = task
        """The task as it is. None when there is none of that id."""
        self.deleted = deleted
        """There was one, and its owner deleted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which of a tenant's tasks a listing shows."""

    state: State | None = None
    processor: str | None = None

    def matches(self, task: Task) -> bool:
        """Return whether the task is one of them."""
        return self.state in (None, task.state) and self.processor in (None, task.processor)


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of a listing: tasks without their input and output."""

    tasks: list[Task]
    next_cursor: str | None
    """Where the next page starts. None after the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """The failed task that a new one does again: it leaves the list of failed tasks."""

    task_id: TaskId
    first: bool
    """Whether the new task must be the first that does so."""


class TaskWriter(Protocol):
    """Records tasks and changes them. Each call is one atomic step.

    A call that is made again, since its answer was lost, does what the first one did.
    """

    def put(
        self, task: Task, *, once: IdempotencyKey | None = None, follows: Follows | None = None
    ) -> None:
        """Record a new task and, in the same step, the key that it is made under.

        With `follows`, the failed task leaves the list in that step, too. A task of the same id can
        only be the same one: ids are never used twice.

        Raises:
            KeyUsed: something was made under the key before, and it has not expired.
            AlreadyRetried: the new task must be the first to follow, and is not.
            Contended: others used the key, or the failed task, all the while.
        """
        ...

    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is.

        Raises:
            ChangeRefused: none of the change's guards holds, or there is no such task.
        """
        ...


class TaskReader(Protocol):
    """Looks tasks up."""

    def get(self, task_id: TaskId) -> Task | None:
        """Return the task as last written. None when there is none, or it was deleted."""
        ...

    def deletion(self, task_id: TaskId) -> Deletion | None:
        """Return what is left of a deleted task. None when none of that id was deleted."""
        ...

    def deletions(self, shard: int, ended_before: datetime, *, limit: int) -> list[TaskId]:
        """Return up to `limit` deleted tasks of a part that are not purged, oldest end first.

        They are those that ended before the given time.
        """
        ...

    @property
    def shards(self) -> int:
        """How many parts the index of due times has."""
        ...

    def overdue(self, shard: int, now: datetime, *, limit: int) -> list[DueTask]:
        """Return up to `limit` tasks of a part that are in flight and late.

        Those that run come first, then those that wait, and of each the longest due first: however
        many wait for too long, one whose worker died is found at once.
        """
        ...

    def come_due(self, shard: int, now: datetime, *, limit: int) -> list[DueTask]:
        """Return up to `limit` tasks of a part that were to run later, and whose time has come."""
        ...

    def waiting(self, shard: int, due_by: datetime, *, limit: int) -> list[DueTask]:
        """Return up to `limit` tasks of a part that were sent, wait, and are due by some time.

        The first due come first. Those that are to run later, and were not sent, are left out.
        """
        ...

    def failed(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """Return up to `limit` failed tasks that wait for a decision, oldest failure first.

        A task can show up a moment after it failed. One that has left the list is never shown.

        Raises:
            CursorInvalid: no listing gave the cursor.
        """
        ...

    def count_failed(self, shard: int) -> int:
        """Return about how many failed tasks of a part wait for a decision: a bounded count."""
        ...

    def oldest_waiting(self, shard: int, now: datetime) -> datetime | None:
        """Return since when the queued task of a part waits that waits for longest, about.

        A task that is to run later waits from that time on. None when none does.
        """
        ...

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, from the cursor on.

        A task can show up a moment after it was written. A cursor of another tenant, or of another
        filter, starts at its place among the tasks that are asked for.

        Raises:
            CursorInvalid: no listing gave the cursor.
        """
        ...


class TaskStore(TaskReader, TaskWriter, Protocol):
    """Keeps tasks."""

    def delete(self, task: Task, *, now: datetime) -> None:
        """Delete a final task: from now on there is no such task, and no list shows it.

        All content leaves in this step. What reports count of the task stays until `purge`.

        Raises:
            ChangeRefused: it is not final, it was deleted before, or there is none.
        """
        ...

    def purge(self, task_id: TaskId, *, expires_at: datetime) -> None:
        """Remove what is left of a deleted task, but for its id: no report counts it any more.

        The id goes at `expires_at`. Until then `deletion` tells a deleted task from an unknown one.
        Does nothing to a task that was not deleted.
        """
        ...

    def claim_key(self, once: IdempotencyKey, made: str) -> None:
        """Record a key for something that is not a task.

        Raises:
            KeyUsed: something was made under the key before, and it has not expired.
        """
        ...
