"""Tasks in the states that scenarios start from."""

import json
from datetime import timedelta
from uuid import uuid4

from tandem.callbacks.callback import Callback, GivenUp
from tandem.ids import TaskId
from tandem.limits import INLINE_BYTES
from tandem.tasks.task import StoredPayload, Task, TaskError
from tandem.tasks.transitions import fail, succeed
from tandem_tools.harness.tasks import ACME, finish_at, make_task, start
from tests.stack.ground import Ground, now

NOBODY = Callback(url="https://127.0.0.1:9/")
"""A receiver that does not answer."""

ECHO = {"processor": "echo", "input": {"message": "hello"}}
TABLE = b"n\n1\n2\n"
LARGE = json.dumps({"message": "x" * INLINE_BYTES})


def uploaded(ground: Ground) -> str:
    """Return the id of an upload that is there."""
    upload_id = str(uuid4())
    ground.keep(f"uploads/{ACME}/{upload_id}", TABLE)
    return upload_id


def ended_with(ground: Ground, task: Task, output: StoredPayload) -> None:
    """Record a task that gave this."""
    ground.store.put(task)
    until = now() + timedelta(minutes=1)
    held = ground.store.change(TaskId(task.task_id), start(now=now(), lease_until=until))
    expires_at = now().replace(microsecond=0) + timedelta(days=1)
    end = succeed(held, now=now(), expires_at=expires_at, output=output)
    ground.store.change(task.task_id, end)


def failed(ground: Ground) -> Task:
    """Record a task that failed, and return it."""
    ground.store.put(task := make_task(now()))
    until = now() + timedelta(minutes=1)
    held = ground.store.change(task.task_id, start(now=now(), lease_until=until))
    expires_at = now().replace(microsecond=0) + timedelta(days=1)
    error = TaskError("KeyError", "a bug")
    return ground.store.change(
        task.task_id, fail(held, now=now(), expires_at=expires_at, error=error)
    )


def unheard(ground: Ground) -> Task:
    """Record a task whose callback was given up, and return it."""
    task = finish_at(ground.store, make_task(now(), callback=NOBODY), now())
    given_up = NOBODY.given_up(GivenUp.GONE, "it answered 410", now())
    ground.callbacks.record(task.task_id, given_up, seen=NOBODY)
    return task


def overdue(**fields: int) -> Task:
    """Return a task whose message is gone."""
    return make_task(now() - timedelta(hours=1), **fields)


def ended_an_hour_ago(ground: Ground) -> Task:
    """Record a task that ended, and whose callback was not given to its queue."""
    moment = now() - timedelta(hours=1)
    return finish_at(ground.store, make_task(moment, callback=NOBODY), moment)
