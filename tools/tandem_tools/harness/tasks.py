"""Tasks for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tandem.ids import TenantId, new_task_id
from tandem.tasks.store import TaskStore
from tandem.tasks.task import AttemptRecord, InlinePayload, Mode, State, Task
from tandem.tasks.transitions import Change, claim, succeed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACME = TenantId("acme")


def make_task(created_at: datetime = NOON, **fields: Any) -> Task:
    """Return a queued task."""
    task = Task(
        task_id=new_task_id(created_at),
        tenant=ACME,
        processor="echo",
        mode=Mode.OFFLINE,
        state=State.QUEUED,
        input=InlinePayload('{"message":"hello"}'),
        max_attempts=3,
        created_at=created_at,
        due_at=created_at + timedelta(minutes=15),
    )
    task = replace(task, **fields)
    if task.history:
        return task
    ended = task.attempts - (task.state is State.RUNNING)
    history = tuple(AttemptRecord(number, created_at) for number in range(1, ended + 1))
    return replace(task, history=history)


def start(*, now: datetime, lease_until: datetime) -> Change:
    """Return the change by which a task's next attempt starts, with nothing else beside it."""
    return claim(now=now, lease_until=lease_until, alone=True, in_company=False)


def finish_at(store: TaskStore, task: Task, moment: datetime, *, ran_seconds: float = 0) -> Task:
    """Put a task, run it and end it at the given moment. Return it."""
    store.put(task)
    started = moment - timedelta(seconds=ran_seconds)
    held = store.change(task.task_id, start(now=started, lease_until=moment + timedelta(minutes=1)))
    expires_at = moment.replace(microsecond=0) + timedelta(days=30)
    output = InlinePayload("{}")
    end = succeed(held, now=moment, expires_at=expires_at, output=output)
    return store.change(task.task_id, end)
