"""What is in flight."""

from functools import partial

from tandem.domain.clock import Clock
from tandem.domain.report import Levels
from tandem.ports import DeadLetterBox, TaskQueue, TaskStore
from tandem.processing.pool import BoundedPool


class LevelReader:
    """Reads how much waits, runs and was given up, all at once."""

    def __init__(
        self,
        store: TaskStore,
        queue: TaskQueue,
        letters: DeadLetterBox,
        clock: Clock,
        *,
        pool: BoundedPool,
    ) -> None:
        self._store = store
        self._queue = queue
        self._letters = letters
        self._clock = clock
        self._pool = pool

    def read(self, *, swept: int) -> Levels:
        """Return the levels now, with how many tasks were just found overdue."""
        depth = self._pool.submit(self._queue.depth)
        letters = self._pool.submit(self._letters.count)
        failed = self._pool.map(self._store.count_failed, range(self._store.shards))
        now = self._clock.now()
        oldest = self._pool.map(
            partial(self._store.oldest_waiting, now=now), range(self._store.shards)
        )
        since = min((moment for moment in oldest if moment is not None), default=None)
        return Levels(
            waiting=depth.result().waiting,
            delayed=depth.result().delayed,
            in_flight=depth.result().in_flight,
            dead_letters=letters.result() + sum(failed),
            oldest_waiting_seconds=None if since is None else (now - since).total_seconds(),
            swept=swept,
        )
