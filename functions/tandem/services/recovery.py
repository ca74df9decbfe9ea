"""Moving on tasks whose attempts ended with their processes."""

from tandem.domain.clock import Clock
from tandem.domain.recovery import recover
from tandem.domain.task import State, Task
from tandem.limits import DUE_DOUBLINGS, DUE_MARGIN
from tandem.ports import ChangeRefused, TaskStore
from tandem.services.retention import Retention


class Recovery:
    """Queues such a task again or, out of attempts, fails it.

    The sweep finds it by its due time, and the worker by a message of it: the first one moves it.
    """

    def __init__(self, store: TaskStore, clock: Clock, retention: Retention) -> None:
        self._store = store
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
        return self._store.change(task.task_id, change)
