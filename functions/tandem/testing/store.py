"""The task store in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from tandem.cursor import place_in, place_of, to_cursor
from tandem.ids import TaskId, TenantId
from tandem.tasks.store import (
    AlreadyRetried,
    ChangeRefused,
    Deletion,
    Follows,
    IdempotencyKey,
    KeyUsed,
    PriorUse,
    TaskFilter,
    TaskPage,
)
from tandem.tasks.task import DueTask, Fence, InlinePayload, Payload, State, StoredPayload, Task
from tandem.tasks.transitions import Change, leave_list

if TYPE_CHECKING:
    from tandem.tasks.effects import Effect


class MemoryTaskStore:
    """Keeps tasks in a dictionary. Safe for threads."""

    def __init__(self) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self.effects: dict[str, Effect] = {}
        """By their idempotency keys: `MemoryEffectStore` writes them."""
        self.counted: dict[TaskId, Task] = {}
        """Deleted tasks that a report may still count: without content, but of the same size."""
        self._deletions: dict[TaskId, Deletion] = {}
        self._keys: dict[str, tuple[IdempotencyKey, str]] = {}
        self._lock = Lock()

    def put(
        self, task: Task, *, once: IdempotencyKey | None = None, follows: Follows | None = None
    ) -> None:
        """Record a new task, its key and what it follows, or raise KeyUsed or AlreadyRetried."""
        with self._lock:
            if task.task_id in self.tasks or task.task_id in self._deletions:
                return
            if once is not None:
                self._check_key(once, task.task_id)
            if follows is not None:
                self._follow(follows, task.task_id)
            self.tasks[task.task_id] = task
            if once is not None:
                self._keys[once.key] = (once, task.task_id)

    def claim_key(self, once: IdempotencyKey, made: str) -> None:
        """Record a key, or raise KeyUsed."""
        with self._lock:
            self._check_key(once, made)
            self._keys[once.key] = (once, made)

    def _check_key(self, once: IdempotencyKey, made: str) -> None:
        used = self._keys.get(once.key)
        if used is not None and used[0].expires_at > once.now and used[1] != made:
            raise KeyUsed(PriorUse(used[0].fingerprint, used[1]))

    def _follow(self, follows: Follows, task_id: TaskId) -> None:
        failed = self.tasks.get(follows.task_id)
        if failed is None:
            raise AlreadyRetried(None)
        if follows.first and (failed.retried_as or failed.listed_at is None):
            raise AlreadyRetried(failed.retried_as)
        gone = leave_list(failed.retried_as or task_id)
        self.tasks[follows.task_id] = replace(failed, **gone)

    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is, or raise ChangeRefused."""
        with self._lock:
            task = self.tasks.get(task_id)
            if task is not None and change.allowed(task):
                task = self.tasks[task_id] = change.apply(task)
            elif task is None or not change.made(task):
                raise ChangeRefused(task, deleted=task_id in self._deletions)
            return task

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else write while the block runs."""
        with self._lock:
            yield

    def holds(self, task_id: TaskId, fence: Fence) -> bool:
        """Return whether the attempt holds the task."""
        task = self.tasks.get(task_id)
        return task is not None and task.state is State.RUNNING and task.fence == fence

    def rewrite(self, task_id: TaskId, rewritten: Callable[[Task], Task]) -> Task | None:
        """Replace a task by what a function makes of it, as one step. None when there is none."""
        with self._lock:
            task = self.tasks.get(task_id)
            if task is not None:
                task = self.tasks[task_id] = rewritten(task)
            return task

    def get(self, task_id: TaskId) -> Task | None:
        """Return the task as last written. None when there is none, or it was deleted."""
        return self.tasks.get(task_id)

    def delete(self, task: Task, *, now: datetime) -> None:
        """Delete a final task, but for what reports count of it, or raise ChangeRefused."""
        with self._lock:
            kept = self.tasks.get(task.task_id)
            if task.task_id in self._deletions:
                return
            if kept is None or not kept.state.final:
                raise ChangeRefused(kept)
            del self.tasks[task.task_id]
            self.counted[task.task_id] = _without_content(kept)
            self._deletions[task.task_id] = Deletion(
                task_id=task.task_id,
                deleted_at=now,
                finished_at=kept.finished_at,
                cache_key=kept.cache_key,
            )

    def deletion(self, task_id: TaskId) -> Deletion | None:
        """Return what is left of a deleted task. None when none of that id was deleted."""
        return self._deletions.get(task_id)

    def deletions(self, shard: int, ended_before: datetime, *, limit: int) -> "list[TaskId]":
        """Return up to `limit` deleted tasks that are not purged, oldest end first."""
        del shard
        with self._lock:
            ended = sorted(
                (task.finished_at, task.task_id)
                for task in self.counted.values()
                if task.finished_at is not None and task.finished_at < ended_before
            )
        return [task_id for _, task_id in ended[:limit]]

    def purge(self, task_id: TaskId, *, expires_at: datetime) -> None:
        """Remove what is left of a deleted task, but for its id."""
        del expires_at
        with self._lock:
            if self.counted.pop(task_id, None) is not None:
                self._deletions[task_id] = replace(
                    self._deletions[task_id], finished_at=None, cache_key=None
                )

    @property
    def shards(self) -> int:
        """One."""
        return 1

    def overdue(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks that are in flight and late: those that run first."""
        del shard
        late = self._due(now, limit=None, later=False)
        return sorted(late, key=lambda task: task.state is not State.RUNNING)[:limit]

    def come_due(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks that were to run later, and whose time has come."""
        del shard
        return self._due(now, limit, later=True)

    def waiting(self, shard: int, due_by: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks that were sent, wait, and are due by some time."""
        del shard
        due = self._due(due_by, limit=None, later=False)
        return [task for task in due if task.state is State.QUEUED][:limit]

    def _due(self, now: datetime, limit: int | None, *, later: bool) -> "list[DueTask]":
        with self._lock:
            found = [
                DueTask(task.task_id, task.state, task.due_at, task.sweeps)
                for task in self.tasks.values()
                if task.due_at is not None and task.due_at <= now and task.waits_for_sweep == later
            ]
        return sorted(found, key=lambda task: task.due_at)[:limit]

    def failed(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """Return up to `limit` failed tasks that wait for a decision, oldest failure first."""
        return self.oldest_first(lambda task: task.listed_at, limit, cursor)

    def oldest_first(
        self, since: Callable[[Task], datetime | None], limit: int, cursor: str | None
    ) -> TaskPage:
        """Return a page of the tasks that wait since some time, without their payloads."""
        after = None if cursor is None else place_of(cursor)
        with self._lock:
            listed = sorted(
                (place_in(moment, task.task_id), task.task_id)
                for task in self.tasks.values()
                if (moment := since(task)) is not None
            )
            waiting = [(key, self.tasks[task_id]) for key, task_id in listed]
        waiting = [(key, task) for key, task in waiting if after is None or key > after]
        page = waiting[:limit]
        tasks = [replace(task, input=InlinePayload(""), output=None) for _, task in page]
        return TaskPage(tasks, to_cursor(page[-1][0]) if len(waiting) > limit else None)

    def count_failed(self, shard: int) -> int:
        """Return how many failed tasks wait for a decision."""
        del shard
        with self._lock:
            return sum(task.listed_at is not None for task in self.tasks.values())

    def oldest_waiting(self, shard: int, now: datetime) -> datetime | None:
        """Return since when the queued task waits that waits for longest."""
        del shard
        with self._lock:
            since = [
                task.not_before or task.created_at
                for task in self.tasks.values()
                if task.state is State.QUEUED
            ]
        return min((moment for moment in since if moment <= now), default=None)

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, or raise CursorInvalid."""
        before = None if cursor is None else place_of(cursor)
        with self._lock:
            found = sorted(
                (
                    task
                    for task in self.tasks.values()
                    if task.tenant == tenant
                    and wanted.matches(task)
                    and (before is None or _position(task) < before)
                ),
                key=_position,
                reverse=True,
            )
        page = [
            replace(task, input=InlinePayload(""), output=None, history=())
            for task in found[:limit]
        ]
        return TaskPage(page, to_cursor(_position(page[-1])) if len(found) > limit else None)


def _position(task: Task) -> str:
    return place_in(task.created_at, task.task_id)


def _without_content(task: Task) -> Task:
    return replace(
        task,
        input=StoredPayload("", task.input.size_bytes),
        output=_sized(task.output),
        file=_sized(task.file),
        error=None,
        progress=None,
        history=(),
        callback=None,
        listed_at=None,
    )


def _sized(payload: Payload | None) -> StoredPayload | None:
    return None if payload is None else StoredPayload("", payload.size_bytes)
