"""Deleting tasks with all that they keep."""

from collections.abc import Callable

from tandem.clock import Clock
from tandem.files.blobs import BlobStore, task_prefix
from tandem.ids import TaskId
from tandem.limits import DELETED_OBJECTS
from tandem.processing.context import Logger
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
