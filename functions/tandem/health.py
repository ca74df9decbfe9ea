"""Deep health: the table, the queue and the bucket are asked."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import timedelta

from tandem.files.blobs import BlobMissing, BlobStore
from tandem.ids import TaskId
from tandem.limits import HEALTH_PATIENCE
from tandem.messages import TaskQueue
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.tasks.store import TaskStore
from tandem.trace import described

_NO_TASK = TaskId("health")
_NO_BLOB = "tasks/health"


class Health:
    """Reads each part, all at once. Changes nothing."""

    def __init__(
        self,
        store: TaskStore,
        queue: TaskQueue,
        blobs: BlobStore,
        *,
        pool: BoundedPool,
        logger: Logger,
        patience: timedelta = HEALTH_PATIENCE,
    ) -> None:
        self._store = store
        self._queue = queue
        self._blobs = blobs
        self._pool = pool
        self._logger = logger
        self._patience = patience

    def check(self) -> dict[str, bool]:
        """Return for each part whether it answered in time."""
        checks: Mapping[str, Callable[[], object]] = {
            "table": lambda: self._store.get(_NO_TASK),
            "queue": self._queue.depth,
            "bucket": self._look_for_a_blob,
        }
        futures = {part: self._pool.submit(check) for part, check in checks.items()}
        done, late = wait(futures.values(), timeout=self._patience.total_seconds())
        if late:
            self._pool.replace()
        return {part: self._answered(part, future, done) for part, future in futures.items()}

    def _answered(self, part: str, future: Future[object], done: set[Future[object]]) -> bool:
        if future not in done:
            self._logger.error("unhealthy", part=part, error_type="TimeoutError")
            return False
        error = future.exception()
        if error is not None:
            self._logger.error("unhealthy", part=part, **described(error))
        return error is None

    def _look_for_a_blob(self) -> None:
        try:
            self._blobs.info(_NO_BLOB)
        except BlobMissing:
            return
