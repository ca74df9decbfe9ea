"""Handing the callbacks of tasks that ended to the queue."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import batched

from tandem.domain.callback import WaitingCallback
from tandem.domain.changes import Change
from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import DueTask, Task
from tandem.limits import CALLBACK_MARGIN, SWEEP_TASKS
from tandem.ports import (
    AlreadyRetried,
    CallbackStore,
    ChangeRefused,
    Contended,
    Envelope,
    Follows,
    KeyUsed,
    Once,
    TaskFilter,
    TaskPage,
    TaskQueue,
    TaskStore,
)
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.trace import described

_AT_ONCE = 10
"""Callbacks that are sent together: what one call to SQS takes."""


class NotTaken(Exception):
    """The queue did not take a callback."""


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
        try:
            self.give(task)
        except Exception as error:  # noqa: BLE001 - the callback is safe: it waits in the index
            self._logger.error("callback not sent", task_id=task.task_id, **described(error))

    def give(self, task: Task) -> None:
        """Give a final task's callback to the queue.

        Raises:
            NotTaken: the queue refused it.
            Exception: whatever the queue or the store raises.
        """
        if self._queue.send(_envelope(task)):
            raise NotTaken
        self._store.handed_over(task.task_id)

    def sweep(self) -> int:
        """Give the queue what was not given when its task ended; return how many.

        Raises:
            ExceptionGroup: some were not read, given or recorded; all others are.
        """
        before = self._clock.now() - CALLBACK_MARGIN
        shards = range(self._store.shards)
        swept, failed = self._pool.map_each(partial(self._sweep_shard, before), shards)
        for error in failed:
            self._logger.error("callbacks not read", **described(error))
        sent = sum(count for count, _ in swept)
        if sent:
            self._logger.warning("callbacks swept", callbacks=sent)
        failed += [error for _, errors in swept for error in errors]
        if failed:
            raise ExceptionGroup("callbacks not swept", failed)
        return sent

    def _sweep_shard(self, before: datetime, shard: int) -> tuple[int, list[Exception]]:
        """Return how many callbacks of a shard the queue has now, and what failed."""
        sent = 0
        errors: list[Exception] = []
        waiting = self._store.waiting(shard, before, limit=SWEEP_TASKS)
        for batch in batched(waiting, _AT_ONCE, strict=False):
            taken, failed = self._send(batch)
            recorded = [self._hand_over(callback.task_id) for callback in taken]
            sent += recorded.count(None)
            errors += [*failed, *(error for error in recorded if error is not None)]
            if failed and not taken:
                break  # It is the queue that fails: the rest waits for the next run.
        return sent, errors

    def _send(
        self, batch: tuple[WaitingCallback, ...]
    ) -> tuple[list[WaitingCallback], list[Exception]]:
        """Return which callbacks the queue took, and what failed; it may refuse some as well.

        What cannot be sent together is sent one by one: one alone may be the cause.
        """
        try:
            lost = self._queue.send(*map(_envelope, batch))
        except Exception as error:  # noqa: BLE001 - one's failure is not the others'
            if len(batch) == 1:
                self._not_sent(batch[0].task_id, error)
                return [], [error]
            self._logger.error("callbacks not sent", callbacks=len(batch), **described(error))
            alone = [self._send((callback,)) for callback in batch]
            taken = [callback for found, _ in alone for callback in found]
            return taken, [error, *(one for _, errors in alone for one in errors)]
        for task_id in lost:
            self._logger.error("callback refused", task_id=task_id)
        return [callback for callback in batch if callback.task_id not in lost], []

    def _hand_over(self, task_id: TaskId) -> Exception | None:
        try:
            self._store.handed_over(task_id)
        except Exception as error:  # noqa: BLE001 - one's failure is not the others'
            self._not_sent(task_id, error)
            return error
        return None

    def _not_sent(self, task_id: TaskId, error: Exception) -> None:
        self._logger.error("callback not swept", task_id=task_id, **described(error))


def _envelope(ended: Task | WaitingCallback) -> Envelope:
    return Envelope(task_id=ended.task_id, tenant=ended.tenant, traceparent=ended.traceparent)


class AnnouncingStore:
    """A task store that hands over the callback of each task that ends by one of its writes.

    So whoever ends a task, by whatever change, cannot forget it. And it makes a write once more
    that failed: a write that decides something knows itself again, whether it was made or not, so a
    service that does not answer for a while burns no attempt.
    """

    def __init__(self, store: TaskStore, callbacks: Callbacks) -> None:
        self._store = store
        self._callbacks = callbacks

    def put(self, task: Task, *, once: Once | None = None, follows: Follows | None = None) -> None:
        """As the store's; a task may be final from the start."""
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


_ANSWERS = (ChangeRefused, KeyUsed, AlreadyRetried, Contended)


def _twice[T](write: Callable[[], T]) -> T:
    """Make a write, and once more when it failed without an answer."""
    try:
        return write()
    except _ANSWERS:
        raise
    except Exception:  # noqa: BLE001 - what it fails with again is raised
        return write()
