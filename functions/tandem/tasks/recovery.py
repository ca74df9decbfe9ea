"""Tasks whose attempts ended with their processes."""

from datetime import datetime

from tandem.clock import Clock
from tandem.limits import DUE_DOUBLINGS, DUE_MARGIN
from tandem.tasks.store import ChangeRefused, TaskWriter
from tandem.tasks.task import Fence, Retention, State, Task
from tandem.tasks.transitions import CRASHED, Change, Guard, ended, failed, history, uncounted


def recover(task: Task, *, now: datetime, due_at: datetime, expires_at: datetime) -> Change:
    """Move on a task whose attempt ended with its process: its lease is over.

    Nobody knows which task ended a process that ran several. So an attempt that died in company
    costs the task nothing, `max_crashes` times. From then on the task runs alone, and an attempt
    that dies alone counts.
    """
    if task.cancel_requested_at is not None:
        return Change(
            guards=(_dead(task, now),),
            to=State.CANCELLED,
            sets=ended(now, expires_at) | history(task, None, CRASHED),
            write_field="end_id",
        )
    crashes = task.crashes + 1
    free = task.in_company and crashes <= task.max_crashes
    crash = {"crashes": crashes, "alone": not free or crashes == task.max_crashes}
    crash |= history(task, None, CRASHED)
    if not free and task.attempts >= task.max_attempts:
        return Change(
            guards=(_dead(task, now),),
            to=State.FAILED,
            sets=failed(now, expires_at, CRASHED) | crash,
            write_field="end_id",
        )
    return Change(
        guards=(_dead(task, now),),
        to=State.QUEUED,
        sets={"lease_until": None, "not_before": now, "due_at": due_at, "error": CRASHED}
        | crash
        | (uncounted(task) if free else {}),
        counts_sweep=True,
        write_field="release_id",
    )


def _dead(task: Task, now: datetime) -> Guard:
    return Guard(
        state=State.RUNNING,
        fence=Fence(task.attempts, task.lease_until or now),
        lease_expired_at=now,
        cancel_requested=task.cancel_requested_at is not None,
    )


class Recovery:
    """Queues such a task again or, out of attempts, fails it.

    The sweep finds it by its due time, and the worker by a message of it: the first one moves it.
    """

    def __init__(self, writer: TaskWriter, clock: Clock, retention: Retention) -> None:
        self._writer = writer
        self._clock = clock
        self._retention = retention

    def recover(self, task: Task) -> Task:
        """Move on a task whose lease is over, and return it.

        Raises:
            ChangeRefused: an attempt holds it, or it has moved meanwhile.
        """
        now = self._clock.now()
        if task.state is not State.RUNNING or task.lease_until is None or task.lease_until > now:
            raise ChangeRefused(task)
        margin = DUE_MARGIN * 2 ** min(task.sweeps, DUE_DOUBLINGS)
        expires_at = self._retention.expiry(task, now)
        change = recover(task, now=now, due_at=now + margin, expires_at=expires_at)
        return self._writer.change(task.task_id, change)
