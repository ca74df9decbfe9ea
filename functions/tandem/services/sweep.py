"""Finding tasks that should have moved and did not, and moving them on."""

import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from tandem.domain.changes import Change
from tandem.domain.clock import Clock
from tandem.domain.task import DueTask, State, Task
from tandem.domain.transitions import give_up, reclaim, send_again, stop_dead
from tandem.limits import DUE_DOUBLINGS, DUE_MARGIN, SWEEP_TASKS
from tandem.ports import ChangeRefused, Inbox, TaskStore
from tandem.processing.pool import BoundedPool
from tandem.services.dispatch import Dispatch
from tandem.services.outcomes import CRASHED
from tandem.services.retention import Retention


class Found(StrEnum):
    """What a sweep did with an overdue task."""

    SENT_AGAIN = "sent-again"
    """It was queued, and its message is gone or late."""
    RECLAIMED = "reclaimed"
    """Its attempt died, and it is queued for another."""
    GIVEN_UP = "given-up"
    """Its last attempt died."""
    STOPPED = "stopped"
    """Its attempt died, and its owner wanted it stopped."""
    MOVED = "moved"
    """It had moved meanwhile."""


@dataclass(frozen=True, slots=True)
class _Swept:
    found: Found
    task: Task | None


class Sweep:
    """Moves overdue tasks on: a bounded number in each run, the longest overdue first.

    What a run does not reach, or a crash leaves, is overdue for the next run too.
    """

    def __init__(
        self,
        store: TaskStore,
        dispatch: Dispatch,
        inbox: Inbox,
        clock: Clock,
        *,
        pool: BoundedPool,
        retention: Retention,
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._inbox = inbox
        self._clock = clock
        self._pool = pool
        self._retention = retention

    def run(self) -> "Counter[Found]":
        """Move overdue tasks on, the index's shards in parallel; return what was done how often."""
        return sum(self._pool.map(self._sweep_shard, range(self._store.shards)), Counter())

    def _sweep_shard(self, shard: int) -> "Counter[Found]":
        overdue = self._store.overdue(shard, self._clock.now(), limit=SWEEP_TASKS)
        swept = [self._move_on(due) for due in overdue]
        to_send = [
            one.task
            for one in swept
            if one.task is not None and one.found in (Found.SENT_AGAIN, Found.RECLAIMED)
        ]
        self._dispatch.send(*to_send)
        return Counter(one.found for one in swept)

    def _move_on(self, due: DueTask) -> _Swept:
        for found, change in self._ways(due):
            try:
                task = self._store.change(due.task_id, change)
            except ChangeRefused:
                continue
            if found is Found.GIVEN_UP:
                self._dead_letter(task)
            return _Swept(found, task)
        return _Swept(Found.MOVED, None)

    def _ways(self, due: DueTask) -> "list[tuple[Found, Change]]":
        """Return what may be done with a task: its guards tell which one fits."""
        now = self._clock.now()
        margin = DUE_MARGIN * 2 ** min(due.sweeps, DUE_DOUBLINGS)
        expires_at = self._retention.expiry(now)
        end = (Found.GIVEN_UP, give_up(now=now, expires_at=expires_at, error=CRASHED))
        if due.state is State.QUEUED:
            again = send_again(seen_due_at=due.due_at, due_at=now + margin)
            return [(Found.SENT_AGAIN, again), end]
        return [
            (Found.RECLAIMED, reclaim(now=now, due_at=now + margin, error=CRASHED)),
            (Found.STOPPED, stop_dead(now=now, expires_at=expires_at)),
            end,
        ]

    def _dead_letter(self, task: Task) -> None:
        self._inbox.dead_letter(
            json.dumps({"task_id": task.task_id}),
            message_id=f"sweep-{task.task_id}",
            reason="attempts-exhausted",
            error=f"{CRASHED.type}: {CRASHED.message}",
            task_id=task.task_id,
        )


def found_overdue(swept: "Counter[Found]") -> int:
    """Return how many tasks a sweep found overdue."""
    return sum(swept.values()) - swept[Found.MOVED]
