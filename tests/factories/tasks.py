"""Tasks for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tandem.domain.ids import TenantId, new_task_id
from tandem.domain.task import AttemptRecord, InlinePayload, Mode, State, Task
from tandem.domain.transitions import claim, succeed
from tandem.ports import TaskStore

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
    return replace(task, history=(AttemptRecord(created_at),) * task.attempts)


def finish_at(store: TaskStore, task: Task, moment: datetime, *, ran_seconds: float = 0) -> Task:
    """Put a task, run it and end it at the given moment; return it."""
    store.put(task)
    started = moment - timedelta(seconds=ran_seconds)
    held = store.change(task.task_id, claim(now=started, lease_until=moment + timedelta(minutes=1)))
    expires_at = moment.replace(microsecond=0) + timedelta(days=30)
    output = InlinePayload("{}")
    end = succeed(held.fence, now=moment, expires_at=expires_at, output=output)
    return store.change(task.task_id, end)
