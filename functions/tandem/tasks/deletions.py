"""Deleting tasks with all that they keep, and purging what was left of them for the reports."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from tandem.clock import Clock
from tandem.files.blobs import BlobStore, task_prefix
from tandem.ids import TaskId
from tandem.limits import (
    ATTEMPT_LONGEST,
    DELETED_KNOWN,
    DELETED_OBJECTS,
    PURGE_SECONDS,
    PURGE_TASKS,
    REPORT_WINDOWS_AGAIN,
)
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.reports.ports import ReportStore
from tandem.tasks.results import ResultCache
from tandem.tasks.store import TaskStore
from tandem.tasks.task import Task
from tandem.trace import described


class Deletions:
    """Deletes tasks: marks each first, in one write that takes its content out, then its objects.

    What a crash or an error leaves is done by the purge.
    """

    def __init__(
        self,
        store: TaskStore,
        cache: ResultCache,
        blobs: Callable[[], BlobStore],
        clock: Clock,
        *,
        logger: Logger,
    ) -> None:
        self._store = store
        self._cache = cache
        self._blobs = blobs
        """Made when there is something to delete: a run of the report seldom has."""
        self._clock = clock
        self._logger = logger

    def delete(self, task: Task) -> None:
        """Delete a final task. Objects that cannot be deleted now are left to the purge.

        Raises:
            ChangeRefused: it is not final, or there is no such task.
        """
        self._store.delete(task, now=self._clock.now())
        try:
            self.clear(task.task_id, task.cache_key)
        except Exception as error:  # noqa: BLE001 - the task is deleted: the purge does the rest
            self._logger.warning("objects not deleted", task_id=task.task_id, **described(error))

    def clear(self, task_id: TaskId, cache_key: str | None) -> bool:
        """Delete a task's kept result and its objects. Return whether no object is left."""
        if cache_key is not None:
            self._cache.forget(cache_key, task_id)
        return self._blobs().delete_under(task_prefix(task_id), limit=DELETED_OBJECTS)


class Purge:
    """Purges deleted tasks that no report counts any more, and that nothing stores objects of.

    It repeats each step of the deletion first: what that left does not outlive the task's item.
    """

    def __init__(
        self,
        store: TaskStore,
        deletions: Deletions,
        reports: ReportStore,
        clock: Clock,
        *,
        pool: BoundedPool,
        logger: Logger,
    ) -> None:
        self._store = store
        self._deletions = deletions
        self._reports = reports
        self._clock = clock
        self._pool = pool
        self._logger = logger

    def run(self) -> int:
        """Purge deleted tasks, a bounded number of each shard. Return how many."""
        totals = self._reports.totals()
        if totals is None:
            return 0
        now = self._clock.now()
        # The next window reads these again: a task that left one would hide another that came late.
        read_again = totals.closed_through.plus(1 - REPORT_WINDOWS_AGAIN).start
        before = min(read_again, now - ATTEMPT_LONGEST)
        until = now + timedelta(seconds=PURGE_SECONDS)
        purged = self._pool.map(partial(self._shard, before, until), range(self._store.shards))
        return sum(purged)

    def _shard(self, before: datetime, until: datetime, shard: int) -> int:
        try:
            task_ids = self._store.deletions(shard, before, limit=PURGE_TASKS)
        except Exception as error:  # noqa: BLE001 - one shard's failure is not the others'
            self._logger.error("shard not purged", shard=shard, **described(error))
            return 0
        return sum(self._clock.now() < until and self._purged(task_id) for task_id in task_ids)

    def _purged(self, task_id: TaskId) -> bool:
        """Purge a task, and return whether this call did."""
        try:
            deletion = self._store.deletion(task_id)
            if deletion is None or deletion.finished_at is None:
                return False
            if not self._deletions.clear(task_id, deletion.cache_key):
                return False
            self._store.purge(task_id, expires_at=self._clock.now() + DELETED_KNOWN)
        except Exception as error:  # noqa: BLE001 - one task's failure is not the others'
            self._logger.error("task not purged", task_id=task_id, **described(error))
            return False
        return True
