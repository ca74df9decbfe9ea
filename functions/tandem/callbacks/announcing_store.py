"""A task store that makes writes twice where it must, and hands over callbacks."""

from collections.abc import Callable
from datetime import datetime

from tandem.callbacks.dispatch import Callbacks
from tandem.contended import Contended
from tandem.ids import TaskId, TenantId
from tandem.tasks.changes import Change
from tandem.tasks.store import (
    AlreadyRetried,
    ChangeRefused,
    Deletion,
    Follows,
    IdempotencyKey,
    KeyUsed,
    TaskFilter,
    TaskPage,
    TaskStore,
)
from tandem.tasks.task import DueTask, Task


class AnnouncingStore:
    """A task store that hands over the callback of each task that ends by one of its writes.

    So whoever ends a task, by whatever change, cannot forget it. And it makes a write once more
    that failed: a write that decides something knows itself again, whether it was made or not, so a
    service that does not answer for a while burns no attempt.
    """

    def __init__(self, store: TaskStore, callbacks: Callbacks) -> None:
        self._store = store
        self._callbacks = callbacks

    def put(
        self, task: Task, *, once: IdempotencyKey | None = None, follows: Follows | None = None
    ) -> None:
        """As the store's. A task may be final from the start."""
        _twice(lambda: self._store.put(task, once=once, follows=follows))
        self._announce(task)

    def change(self, task_id: TaskId, change: Change) -> Task:
        """As the store's."""
        if change.write_field is None:
            return self._store.change(task_id, change)
        task = _twice(lambda: self._store.change(task_id, change))
        self._announce(task)
        return task

    def _announce(self, task: Task) -> None:
        if task.callback is not None and task.state.final:
            self._callbacks.ended(task)

    def get(self, task_id: TaskId) -> Task | None:
        """As the store's."""
        return self._store.get(task_id)

    def delete(self, task: Task, *, now: datetime) -> None:
        """As the store's. A callback that the queue has not got is not sent any more."""
        _twice(lambda: self._store.delete(task, now=now))

    def deletion(self, task_id: TaskId) -> Deletion | None:
        """As the store's."""
        return self._store.deletion(task_id)

    def deletions(self, shard: int, ended_before: datetime, *, limit: int) -> "list[TaskId]":
        """As the store's."""
        return self._store.deletions(shard, ended_before, limit=limit)

    def purge(self, task_id: TaskId, *, expires_at: datetime) -> None:
        """As the store's."""
        self._store.purge(task_id, expires_at=expires_at)

    def claim_key(self, once: IdempotencyKey, made: str) -> None:
        """As the store's."""
        self._store.claim_key(once, made)

    @property
    def shards(self) -> int:
        """As the store's."""
        return self._store.shards

    def overdue(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """As the store's."""
        return self._store.overdue(shard, now, limit=limit)

    def come_due(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """As the store's."""
        return self._store.come_due(shard, now, limit=limit)

    def waiting(self, shard: int, due_by: datetime, *, limit: int) -> "list[DueTask]":
        """As the store's."""
        return self._store.waiting(shard, due_by, limit=limit)

    def failed(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """As the store's."""
        return self._store.failed(limit=limit, cursor=cursor)

    def count_failed(self, shard: int) -> int:
        """As the store's."""
        return self._store.count_failed(shard)

    def oldest_waiting(self, shard: int, now: datetime) -> datetime | None:
        """As the store's."""
        return self._store.oldest_waiting(shard, now)

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """As the store's."""
        return self._store.list(tenant, wanted, limit=limit, cursor=cursor)


_ANSWERS = (ChangeRefused, KeyUsed, AlreadyRetried, Contended)


def _twice[T](write: Callable[[], T]) -> T:
    """Make a write, and once more when it failed without an answer."""
    try:
        return write()
    except _ANSWERS:
        raise
    except Exception:  # noqa: BLE001 - what it fails with again is raised
        return write()
