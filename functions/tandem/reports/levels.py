"""The levels: how much is waiting and in flight."""

from concurrent.futures import Future
from datetime import datetime
from functools import partial

from tandem.clock import Clock
from tandem.messages import DeadLetterBox, TaskQueue
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.reports.report import Levels
from tandem.tasks.store import TaskStore
from tandem.trace import described


class LevelReader:
    """Reads how much waits, runs and was given up, all at once and each by itself."""

    def __init__(
        self,
        store: TaskStore,
        queue: TaskQueue,
        letters: DeadLetterBox,
        clock: Clock,
        *,
        pool: BoundedPool,
        logger: Logger,
    ) -> None:
        self._store = store
        self._queue = queue
        self._letters = letters
        self._clock = clock
        self._pool = pool
        self._logger = logger

    def read(self, *, swept: int | None) -> Levels:
        """Return the levels now, each as None that could not be read: that is logged.

        Args:
            swept: how many tasks were just found overdue. None when that is not known.
        """
        depth = self._pool.submit(self._queue.depth)
        letters = self._pool.submit(self._count_letters)
        oldest = self._oldest_waiting_seconds(self._clock.now())
        queued = self._read("queue", depth)
        return Levels(
            waiting=queued.waiting if queued else None,
            delayed=queued.delayed if queued else None,
            in_flight=queued.in_flight if queued else None,
            dead_letters=self._read("dead letters", letters),
            oldest_waiting_seconds=oldest,
            swept=swept,
        )

    def _count_letters(self) -> int:
        """Return how many tasks and messages wait for a decision."""
        failed = self._pool.map(self._store.count_failed, range(self._store.shards))
        return sum(failed) + self._letters.count()

    def _oldest_waiting_seconds(self, now: datetime) -> float | None:
        """Return how long the oldest task waits. None when a shard of them could not be read."""
        moments, errors = self._pool.map_each(
            partial(self._store.oldest_waiting, now=now), range(self._store.shards)
        )
        for error in errors:
            self._unknown("oldest waiting", error)
        if errors:
            return None
        waiting = (moment for moment in moments if moment is not None)
        return (now - min(waiting, default=now)).total_seconds()

    def _read[T](self, what: str, level: Future[T]) -> T | None:
        try:
            return level.result()
        except Exception as error:  # noqa: BLE001 - the other levels are known
            self._unknown(what, error)
            return None

    def _unknown(self, what: str, error: Exception) -> None:
        self._logger.error("level not read", level=what, **described(error))
