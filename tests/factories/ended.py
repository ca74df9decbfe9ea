"""Tasks that have ended, as the store may be given them."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tandem.ids import new_task_id
from tandem.tasks.task import AttemptRecord, InlinePayload, Mode, Progress, State, Task, TaskError
from tandem_tools.harness.tasks import ACME, NOON

SECRET = "SECRET-CONTENT"
"""Stands in every part of a task that holds what its owner gave, or was given."""

HELD = InlinePayload(f'{{"message":"{SECRET}"}}')


def ended_task(finished_at: datetime = NOON, **fields: Any) -> Task:
    """Return a task that ended after one attempt, full of its owner's content."""
    started_at = finished_at - timedelta(seconds=1)
    error = TaskError("ValueError", SECRET)
    task = Task(
        task_id=new_task_id(started_at),
        tenant=ACME,
        processor="echo",
        mode=Mode.OFFLINE,
        state=State.QUEUED,
        input=HELD,
        max_attempts=3,
        created_at=started_at,
    )
    ended = {
        "state": State.SUCCEEDED,
        "attempts": 1,
        "started_at": started_at,
        "attempt_started_at": started_at,
        "finished_at": finished_at,
        "expires_at": finished_at.replace(microsecond=0) + timedelta(days=30),
        "output": HELD,
        "error": error,
        "progress": Progress(1, 1, SECRET),
        "history": (AttemptRecord(1, started_at, finished_at, error),),
    }
    return replace(task, **ended | fields)
