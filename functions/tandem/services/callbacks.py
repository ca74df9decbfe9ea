"""Handing the callbacks of tasks that ended to the queue."""

from datetime import datetime
from functools import partial

from tandem.domain.changes import Change
from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import DueTask, Task
from tandem.limits import CALLBACK_MARGIN, SWEEP_TASKS
from tandem.ports import (
    CallbackStore,
    Envelope,
    Follows,
    Once,
    TaskFilter,
    TaskPage,
    TaskQueue,
    TaskStore,
)
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.trace import described


class Callbacks:
    """Gives each callback to the queue, at least once: what was not given is swept.

    From the write that ends a task on, its callback is in the store's index of those that wait.
    It leaves that only when the queue has it.
    """

    def __init__(
        self,
        store: CallbackStore,
        queue: TaskQueue,
        clock: Clock,
        *,
        pool: BoundedPool,
        logger: Logger,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._pool = pool
        self._logger = logger

    def ended(self, task: Task) -> None:
        """Give a final task's callback to the queue, or only log that it could not be."""
        envelope = Envelope(task_id=task.task_id, tenant=task.tenant, traceparent=task.traceparent)
        try:
            self._queue.send(envelope)
            self._store.handed_over(task.task_id)
        except Exception as error:  # noqa: BLE001 - the callback is safe: it waits in the index
            self._logger.error("callback not sent", task_id=task.task_id, **described(error))

    def sweep(self) -> int:
        """Give the queue what was not given when its task ended; return how many."""
        before = self._clock.now() - CALLBACK_MARGIN
        shards = range(self._store.shards)
        sent = sum(self._pool.map(partial(self._sweep_shard, before), shards))
        if sent:
            self._logger.warning("callbacks swept", callbacks=sent)
        return sent

    def _sweep_shard(self, before: datetime, shard: int) -> int:
        waiting = self._store.waiting(shard, before, limit=SWEEP_TASKS)
        if not waiting:
            return 0
        lost = self._queue.send(
            *(
                Envelope(task_id=one.task_id, tenant=one.tenant, traceparent=one.traceparent)
                for one in waiting
            )
        )
        sent = [one.task_id for one in waiting if one.task_id not in lost]
        for task_id in sent:
            self._store.handed_over(task_id)
        return len(sent)


class AnnouncingStore:
    """A task store that hands over the callback of each task that ends by one of its writes.

    So whoever ends a task, by whatever change, cannot forget it.
    """

    def __init__(self, store: TaskStore, callbacks: Callbacks) -> None:
        self._store = store
        self._callbacks = callbacks

    def put(self, task: Task, *, once: Once | None = None, follows: Follows | None = None) -> None:
        """As the store's; a task may be final from the start."""
        self._store.put(task, once=once, follows=follows)
        self._announce(task)

    def change(self, task_id: TaskId, change: Change) -> Task:
        """As the store's."""
        task = self._store.change(task_id, change)
        self._announce(task)
        return task

    def _announce(self, task: Task) -> None:
        if task.callback is not None and task.state.final:
            self._callbacks.ended(task)

    def get(self, task_id: TaskId) -> Task | None:
        """As the store's."""
        return self._store.get(task_id)

    def claim_key(self, once: Once, made: str) -> None:
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
