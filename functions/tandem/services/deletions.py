"""Deleting tasks with all that they keep, and purging what was left of them for the reports."""

from collections.abc import Callable
from datetime import datetime, timedelta

from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId
from tandem.domain.task import Task
from tandem.limits import (
    ATTEMPT_LONGEST,
    DELETED_KNOWN,
    DELETED_OBJECTS,
    PURGE_SECONDS,
    PURGE_TASKS,
    REPORT_WINDOWS_AGAIN,
)
from tandem.ports import BlobStore, ReportStore, ResultCache, TaskStore, task_prefix
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.trace import described


class Deletions:
    """Deletes tasks: marks each first, in one write that takes its content out, then its objects.

    What a crash or an error leaves is done by the purge, which repeats every step. It comes when no
    report counts the task any more, and nothing can store an object of it.
    """

    def __init__(
        self,
        store: TaskStore,
        reports: ReportStore,
        cache: ResultCache,
        blobs: Callable[[], BlobStore],
        clock: Clock,
        *,
        pool: BoundedPool,
        logger: Logger,
    ) -> None:
        self._store = store
        self._reports = reports
        self._cache = cache
        self._blobs = blobs
        """Made when there is something to delete: a run of the report seldom has."""
        self._clock = clock
        self._pool = pool
        self._logger = logger

    def delete(self, task: Task) -> None:
        """Delete a final task; objects that cannot be deleted now are left to the purge.

        Raises:
            ChangeRefused: it is not final, or it was deleted before.
        """
        self._store.delete(task, now=self._clock.now())
        try:
            self._clear(task.task_id, task.cache_key)
        except Exception as error:  # noqa: BLE001 - the task is deleted: the purge does the rest
            self._logger.warning("objects not deleted", task_id=task.task_id, **described(error))

    def purge(self) -> int:
        """Purge deleted tasks, a bounded number of each shard; return how many."""
        totals = self._reports.totals()
        if totals is None:
            return 0
        now = self._clock.now()
        # The next window reads these again: a task that left one would hide another that came late.
        read_again = totals.closed_through.plus(1 - REPORT_WINDOWS_AGAIN).start
        before = min(read_again, now - ATTEMPT_LONGEST)
        until = now + timedelta(seconds=PURGE_SECONDS)

        def purge_shard(shard: int) -> int:
            return self._purge_shard(shard, before, until)

        return sum(self._pool.map(purge_shard, range(self._store.shards)))

    def _purge_shard(self, shard: int, before: datetime, until: datetime) -> int:
        try:
            task_ids = self._store.deletions(shard, before, limit=PURGE_TASKS)
        except Exception as error:  # noqa: BLE001 - one shard's failure is not the others'
            self._logger.error("shard not purged", shard=shard, **described(error))
            return 0
        return sum(self._clock.now() < until and self._purged(task_id) for task_id in task_ids)

    def _purged(self, task_id: TaskId) -> bool:
        """Purge a task, and return whether nothing is left to do."""
        try:
            deletion = self._store.deletion(task_id)
            if deletion is None or deletion.finished_at is None:
                return False
            if not self._clear(task_id, deletion.cache_key):
                return False
            self._store.purge(task_id, expires_at=self._clock.now() + DELETED_KNOWN)
        except Exception as error:  # noqa: BLE001 - one task's failure is not the others'
            self._logger.error("task not purged", task_id=task_id, **described(error))
            return False
        return True

    def _clear(self, task_id: TaskId, cache_key: str | None) -> bool:
        """Delete a task's kept result and its objects; return whether no object is left."""
        if cache_key is not None:
            self._cache.forget(cache_key, task_id)
        return self._blobs().delete_under(task_prefix(task_id), limit=DELETED_OBJECTS)
