"""Receivers of outside effects, and tasks that are held by attempts."""

from datetime import datetime, timedelta
from threading import Lock

from tandem.ids import TaskId, new_task_id
from tandem.tasks.effects import Effect
from tandem.tasks.task import InlinePayload, Mode, State, Task
from tandem_tools.harness.tasks import ACME, NOON

LEASE = timedelta(minutes=1)


class Receiver:
    """A service that charges; one that honours keys charges once for each."""

    def __init__(self, *, honours_keys: bool = False) -> None:
        self.keys: list[str] = []
        """Of each charge that was made."""
        self.calls: list[str] = []
        """The keys of all calls."""
        self._honours_keys = honours_keys
        self._lock = Lock()

    def charge(self, key: str) -> dict[str, str]:
        """Charge, and return which charge it was."""
        with self._lock:
            self.calls.append(key)
            if not (self._honours_keys and key in self.keys):
                self.keys.append(key)
            return {"charge": key[:8]}


def held_task(now: datetime = NOON, *, attempts: int = 1) -> Task:
    """Return a task that an attempt holds."""
    return Task(
        task_id=new_task_id(now),
        tenant=ACME,
        processor="work",
        mode=Mode.OFFLINE,
        state=State.RUNNING,
        input=InlinePayload("{}"),
        max_attempts=3,
        created_at=now,
        attempts=attempts,
        started_at=now,
        attempt_started_at=now,
        due_at=now + LEASE,
        lease_until=now + LEASE,
    )


def begun_effect(task: Task, call_id: str = "call-1", key: str = "a" * 64) -> Effect:
    """Return an effect as the attempt that holds the task begins it."""
    return Effect(
        idempotency_key=key,
        task_id=TaskId(task.task_id),
        attempt=task.attempts,
        call_id=call_id,
        begun_at=NOON,
        expires_at=NOON + timedelta(days=9),
    )
