"""Finding tasks that should have moved and did not, and moving them on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from itertools import chain

from tandem.clock import Clock
from tandem.limits import (
    BATCH_MESSAGES,
    DUE_DOUBLINGS,
    DUE_MARGIN,
    LEASE,
    SWEEP_TASKS,
    SWEEP_TIME,
)
from tandem.processing.context import Logger
from tandem.processing.pool import BoundedPool
from tandem.tasks.dispatch import Dispatch
from tandem.tasks.recovery import Recovery
from tandem.tasks.store import ChangeRefused, TaskReader, TaskWriter
from tandem.tasks.task import DueTask, Retention, State, Task
from tandem.tasks.transitions import give_up_queued, not_sent, send_again
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
    NOT_BEGUN = "not-begun"
    """It waited when a process died in which others ran, and may have been received there: a queue
    hides such a message for many minutes. It is not late."""
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
    died_in_company: bool = False
    """Whether its attempt ended with a process in which others ran."""


class Sweep:
    """Moves tasks on, the longest overdue first: a bounded number in each run, or for so long.

    What a run does not reach, or an error or a crash leaves, is overdue for the next run too.
    """

    def __init__(
        self,
        reader: TaskReader,
        writer: TaskWriter,
        dispatch: Dispatch,
        recovery: Recovery,
        clock: Clock,
        *,
        pool: BoundedPool,
        retention: Retention,
        logger: Logger,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._dispatch = dispatch
        self._recovery = recovery
        self._clock = clock
        self._pool = pool
        self._retention = retention
        self._logger = logger

    def run(self) -> "Counter[Found]":
        """Move tasks on, the index's shards in parallel. Return what was done how often."""
        swept = self._in_all_shards(self._sweep_shard)
        deaths = sum(moved.died_in_company for moved in swept)
        if deaths:
            swept += self._in_all_shards(partial(self._send_beside, deaths))
        return Counter(moved.found for moved in swept)

    def _in_all_shards(self, sweep: Callable[[int], list[_Swept]]) -> list[_Swept]:
        return list(chain(*self._pool.map(sweep, range(self._reader.shards))))

    def _sweep_shard(self, shard: int) -> list[_Swept]:
        """Move on what is late, then send what was to run later: recoveries wait for nothing."""
        late = self._each(shard, self._reader.overdue, self._move_on)
        return late + self._send_later(shard)

    def _send_beside(self, deaths: int, shard: int) -> list[_Swept]:
        """Send what waited when processes died in which others ran: as much as they can have had.

        What they had was sent before what is in the queue still: it comes first.
        """
        sent_by = self._clock.now() - LEASE
        return self._each(
            shard,
            lambda shard, _, *, limit: self._reader.waiting(
                shard, sent_by + DUE_MARGIN, limit=min(limit, deaths * BATCH_MESSAGES)
            ),
            partial(self._send_now, Found.NOT_BEGUN),
        )

    def _send_later(self, shard: int) -> list[_Swept]:
        """Send what was to run later, for as long as there is more of it and time.

        Tasks of one tenant, all for the same minute, do not hold up those of others: once they are
        sent, the queue is fair.
        """
        until = self._clock.now() + SWEEP_TIME
        sent: list[_Swept] = []
        while True:
            page = self._each(shard, self._reader.come_due, partial(self._send_now, Found.CAME_DUE))
            sent += page
            more = sum(moved.found is Found.CAME_DUE for moved in page) == SWEEP_TASKS
            if not more or self._clock.now() >= until:
                return sent

    def _each(
        self,
        shard: int,
        find: Callable[..., list[DueTask]],
        move: Callable[[DueTask], _Swept],
    ) -> list[_Swept]:
        try:
            due = find(shard, self._clock.now(), limit=SWEEP_TASKS)
        except Exception as error:  # noqa: BLE001 - one shard's failure is not the others'
            self._logger.error("shard not swept", shard=shard, **described(error))
            return [_Swept(Found.LEFT)]
        swept = [(task, self._tried(move, task)) for task in due]
        lost = self._dispatch.send(*(moved.task for _, moved in swept if moved.task is not None))
        return [
            self._tried(partial(self._put_back, moved), task)
            if moved.task is not None and moved.task.task_id in lost
            else moved
            for task, moved in swept
        ]

    def _put_back(self, moved: _Swept, due: DueTask) -> _Swept:
        """Let the next run find a task again that could not be sent."""
        if moved.task is not None:
            next_run = self._clock.now() + _NOT_YET
            back = not_sent(moved.task, due_at=next_run, sweeps=due.sweeps)
            self._writer.change(due.task_id, back)
        return replace(moved, found=Found.LEFT)

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
            return _Swept(Found.SENT_AGAIN, self._writer.change(due.task_id, again))
        except ChangeRefused as refused:
            if refused.task is None:
                raise
            expires_at = self._retention.expiry(refused.task, now)
            self._writer.change(due.task_id, give_up_queued(now=now, expires_at=expires_at))
            return _Swept(Found.GIVEN_UP)

    def _recover(self, due: DueTask) -> _Swept:
        task = self._reader.get(due.task_id)
        if task is None:
            return _Swept(Found.MOVED)
        moved = self._recovery.recover(task)
        return _Swept(
            _OUTCOMES.get(moved.state, Found.MOVED),
            moved if moved.state is State.QUEUED else None,
            died_in_company=task.in_company,
        )

    def _send_now(self, found: Found, due: DueTask) -> _Swept:
        margin = self._clock.now() + DUE_MARGIN
        now_due = send_again(seen_due_at=due.due_at, due_at=margin, late=False)
        return _Swept(found, self._writer.change(due.task_id, now_due))


def found_overdue(swept: "Counter[Found]") -> int:
    """Return how many tasks a sweep found overdue."""
    return sum(count for found, count in swept.items() if found in _OVERDUE)
