"""Handing the callbacks of tasks that ended to the queue."""

from datetime import datetime
from functools import partial
from itertools import batched

from tandem.callbacks.callback import WaitingCallback
from tandem.callbacks.ports import CallbackStore
from tandem.clock import Clock
from tandem.ids import TaskId
from tandem.limits import CALLBACK_MARGIN, SWEEP_TASKS
from tandem.messages import Envelope, TaskQueue
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.tasks.task import Task
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
        """Give the queue what was not given when its task ended. Return how many.

        Raises:
            ExceptionGroup: some were not read, given or recorded. All others are.
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
        """Return which callbacks the queue took, and what failed. It may refuse some as well.

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
            return taken, [error, *(other for _, errors in alone for other in errors)]
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
