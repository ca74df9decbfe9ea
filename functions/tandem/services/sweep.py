"""Finding tasks that should have moved and did not, and moving them on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial

from tandem.domain.clock import Clock
from tandem.domain.task import DueTask, State, Task
from tandem.domain.transitions import give_up_queued, not_sent, send_again
from tandem.limits import DUE_DOUBLINGS, DUE_MARGIN, SWEEP_TASKS, SWEEP_TIME
from tandem.ports import ChangeRefused, TaskStore
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.services.dispatch import Dispatch
from tandem.services.recovery import Recovery
from tandem.services.retention import Retention
from tandem.trace import described


class Found(StrEnum):
    """What a sweep did with a task."""

    SENT_AGAIN = "sent-again"
    """It was queued, and its message is gone or late."""
    RECLAIMED = "reclaimed"
    """Its attempt died, and it is queued for another."""
    GIVEN_UP = "given-up"
    """Its last attempt died."""
    STOPPED = "stopped"
    """Its attempt died, and its owner wanted it stopped."""
    CAME_DUE = "came-due"
    """It was to run later, and its time has come: it is not late."""
    MOVED = "moved"
    """It had moved meanwhile."""
    LEFT = "left"
    """An error kept it where it is: the next run finds it again."""


_OVERDUE = frozenset({Found.SENT_AGAIN, Found.RECLAIMED, Found.GIVEN_UP, Found.STOPPED, Found.LEFT})

_NOT_YET = timedelta(seconds=1)
"""This run is not to find again what it could not send: it goes on until it finds no more."""

_OUTCOMES = {
    State.QUEUED: Found.RECLAIMED,
    State.FAILED: Found.GIVEN_UP,
    State.CANCELLED: Found.STOPPED,
}
"""What became of a task whose attempt had died, by its new state."""


@dataclass(frozen=True, slots=True)
class _Swept:
    found: Found
    task: Task | None = None
    """The task when a message of it is to be sent."""


class Sweep:
    """Moves tasks on, the longest overdue first: a bounded number in each run, or for so long.

    What a run does not reach, or an error or a crash leaves, is overdue for the next run too.
    """

    def __init__(
        self,
        store: TaskStore,
        dispatch: Dispatch,
        recovery: Recovery,
        clock: Clock,
        *,
        pool: BoundedPool,
        retention: Retention,
        logger: Logger,
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._recovery = recovery
        self._clock = clock
        self._pool = pool
        self._retention = retention
        self._logger = logger

    def run(self) -> "Counter[Found]":
        """Move tasks on, the index's shards in parallel; return what was done how often."""
        return sum(self._pool.map(self._sweep_shard, range(self._store.shards)), Counter())

    def _sweep_shard(self, shard: int) -> "Counter[Found]":
        """Move on what is late, then send what was to run later: recoveries wait for nothing."""
        late = self._each(shard, self._store.overdue, self._move_on)
        return late + self._send_later(shard)

    def _send_later(self, shard: int) -> "Counter[Found]":
        """Send what was to run later, for as long as there is more of it and time.

        Tasks of one tenant, all for the same minute, do not hold up those of others: once they are
        sent, the queue is fair.
        """
        until = self._clock.now() + SWEEP_TIME
        sent: Counter[Found] = Counter()
        while True:
            page = self._each(shard, self._store.come_due, self._send_now)
            sent += page
            if page[Found.CAME_DUE] < SWEEP_TASKS or self._clock.now() >= until:
                return sent

    def _each(
        self,
        shard: int,
        find: Callable[..., list[DueTask]],
        move: Callable[[DueTask], _Swept],
    ) -> "Counter[Found]":
        try:
            due = find(shard, self._clock.now(), limit=SWEEP_TASKS)
        except Exception as error:  # noqa: BLE001 - one shard's failure is not the others'
            self._logger.error("shard not swept", shard=shard, **described(error))
            return Counter({Found.LEFT: 1})
        swept = [(task, self._tried(move, task)) for task in due]
        lost = self._dispatch.send(*(moved.task for _, moved in swept if moved.task is not None))
        return Counter(
            self._tried(partial(self._put_back, moved.task), task).found
            if moved.task is not None and moved.task.task_id in lost
            else moved.found
            for task, moved in swept
        )

    def _put_back(self, moved: Task, due: DueTask) -> _Swept:
        """Let the next run find a task again that could not be sent."""
        next_run = self._clock.now() + _NOT_YET
        self._store.change(due.task_id, not_sent(moved, due_at=next_run, sweeps=due.sweeps))
        return _Swept(Found.LEFT)

    def _tried(self, move: Callable[[DueTask], _Swept], due: DueTask) -> _Swept:
        try:
            return move(due)
        except ChangeRefused:
            return _Swept(Found.MOVED)
        except Exception as error:  # noqa: BLE001 - one task's failure is not the others'
            self._logger.error("task not swept", task_id=due.task_id, **described(error))
            return _Swept(Found.LEFT)

    def _move_on(self, due: DueTask) -> _Swept:
        if due.state is State.RUNNING:
            return self._recover(due)
        now = self._clock.now()
        margin = DUE_MARGIN * 2 ** min(due.sweeps, DUE_DOUBLINGS)
        again = send_again(seen_due_at=due.due_at, due_at=now + margin)
        try:
            return _Swept(Found.SENT_AGAIN, self._store.change(due.task_id, again))
        except ChangeRefused as refused:
            if refused.task is None:
                raise
            expires_at = self._retention.expiry(refused.task, now)
            self._store.change(due.task_id, give_up_queued(now=now, expires_at=expires_at))
            return _Swept(Found.GIVEN_UP)

    def _recover(self, due: DueTask) -> _Swept:
        task = self._store.get(due.task_id)
        if task is None:
            return _Swept(Found.MOVED)
        moved = self._recovery.recover(task)
        queued = moved.state is State.QUEUED
        return _Swept(_OUTCOMES.get(moved.state, Found.MOVED), moved if queued else None)

    def _send_now(self, due: DueTask) -> _Swept:
        margin = self._clock.now() + DUE_MARGIN
        now_due = send_again(seen_due_at=due.due_at, due_at=margin, late=False)
        return _Swept(Found.CAME_DUE, self._store.change(due.task_id, now_due))


def found_overdue(swept: "Counter[Found]") -> int:
    """Return how many tasks a sweep found overdue."""
    return sum(count for found, count in swept.items() if found in _OVERDUE)
