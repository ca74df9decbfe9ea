"""Every change that Tandem makes to a task."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from tandem.ids import TaskId
from tandem.tasks.changes import Change, Guard
from tandem.tasks.task import (
    HISTORY_ERROR_CHARACTERS,
    HISTORY_RECORDS,
    AttemptRecord,
    Payload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)

CRASHED = TaskError("Crashed", "the attempt ended with its process, and recorded no result")


def claim(*, now: datetime, lease_until: datetime, alone: bool, in_company: bool) -> Change:
    """Start the next attempt of a queued task.

    Args:
        now: when it starts.
        lease_until: until when it holds the task.
        alone: whether nothing else is to run beside it: else a task that is marked is refused.
        in_company: whether other work runs in its process, or may have been left there.
    """
    guard = Guard(
        state=State.QUEUED, ready_at=now, attempts_left=True, alone=None if alone else False
    )
    return Change(
        guards=(guard,),
        to=State.RUNNING,
        sets={
            "lease_until": lease_until,
            "due_at": lease_until,
            "not_before": None,
            "in_company": in_company,
        },
        starts_attempt_at=now,
        write_field="claim_id",
    )


def extend_lease(task: Task, *, lease_until: datetime) -> Change:
    """Let the attempt hold the task for longer."""
    return Change(
        guards=(_held(task),),
        to=State.RUNNING,
        sets={"lease_until": lease_until, "due_at": lease_until},
        write_field="claim_id",
    )


def report_progress(task: Task, progress: Progress) -> Change:
    """Record how far the attempt is."""
    return Change(guards=(_held(task),), to=State.RUNNING, sets={"progress": progress})


def succeed(
    task: Task,
    *,
    now: datetime,
    expires_at: datetime,
    output: Payload,
    file: StoredPayload | None = None,
) -> Change:
    """End the task with the attempt's output."""
    result = {"output": output, "file": file, "error": None, "progress": None}
    return Change(
        guards=(_held(task),),
        to=State.SUCCEEDED,
        sets=ended(now, expires_at) | result | history(task, now, None),
        write_field="end_id",
    )


def fail(task: Task, *, now: datetime, expires_at: datetime, error: TaskError) -> Change:
    """End the task with the attempt's error, and put it on the list of failed tasks."""
    return Change(
        guards=(_held(task),),
        to=State.FAILED,
        sets=failed(now, expires_at, error) | history(task, now, error),
        write_field="end_id",
    )


def give_up_queued(*, now: datetime, expires_at: datetime) -> Change:
    """End a task that waits and has no attempt left."""
    return Change(
        guards=(Guard(state=State.QUEUED, attempts_left=False),),
        to=State.FAILED,
        sets=failed(now, expires_at, CRASHED),
        write_field="end_id",
    )


def retry_later(
    task: Task, *, now: datetime, not_before: datetime, due_at: datetime, error: TaskError
) -> Change:
    """Queue the task for its next attempt, unless its owner asked it to stop."""
    return Change(
        guards=(_held(task, cancel_requested=False),),
        to=State.QUEUED,
        sets={"lease_until": None, "not_before": not_before, "due_at": due_at, "error": error}
        | history(task, now, error),
        write_field="release_id",
    )


def hand_back(
    task: Task, *, now: datetime, not_before: datetime, due_at: datetime, why: TaskError
) -> Change:
    """Queue the task again, with one more attempt allowed for the one that it lost."""
    return Change(
        guards=(_held(task, cancel_requested=False),),
        to=State.QUEUED,
        sets={"lease_until": None, "not_before": not_before, "due_at": due_at}
        | uncounted(task)
        | history(task, now, why),
        write_field="release_id",
    )


def crowd_out(task: Task, *, now: datetime, due_at: datetime, why: TaskError) -> Change:
    """Queue a task again whose time its neighbours took, at no cost to it: as after a crash."""
    back = hand_back(task, now=now, not_before=now, due_at=due_at, why=why)
    crashes = task.crashes + 1
    crash = {"crashes": crashes, "alone": crashes >= task.max_crashes}
    return replace(back, sets={**back.sets, **crash})


def cancel_queued(*, now: datetime, expires_at: datetime) -> Change:
    """End a task that waits."""
    return Change(
        guards=(Guard(state=State.QUEUED),),
        to=State.CANCELLED,
        sets=ended(now, expires_at) | {"cancel_requested_at": now},
        write_field="end_id",
    )


def request_cancel(*, now: datetime) -> Change:
    """Ask a running task to stop."""
    return Change(
        guards=(Guard(state=State.RUNNING),),
        to=State.RUNNING,
        sets={"cancel_requested_at": now},
    )


def stop(task: Task, *, now: datetime, expires_at: datetime, error: TaskError | None) -> Change:
    """End a running task that was asked to stop: its attempt did."""
    return Change(
        guards=(_held(task, cancel_requested=True),),
        to=State.CANCELLED,
        sets=ended(now, expires_at) | history(task, now, error),
        write_field="end_id",
    )


def send_again(*, seen_due_at: datetime, due_at: datetime, late: bool = True) -> Change:
    """Give a queued task a new due time: its message is to be sent now.

    Args:
        seen_due_at: the due time that it was found with.
        due_at: the new one.
        late: whether it should have run before, which is counted. Else its time has only come.
    """
    return Change(
        guards=(Guard(state=State.QUEUED, due_at=seen_due_at, attempts_left=True),),
        to=State.QUEUED,
        sets={"due_at": due_at},
        counts_sweep=late,
        write_field="release_id",
    )


def not_sent(task: Task, *, due_at: datetime, sweeps: int) -> Change:
    """Make a queued task overdue again whose message could not be sent.

    Args:
        task: the task as the sweep has moved it.
        due_at: when it is to be found again.
        sweeps: how often it had been found before. A queue that is away must not double its wait.
    """
    return Change(
        guards=(Guard(state=State.QUEUED, due_at=task.due_at),),
        to=State.QUEUED,
        sets={"due_at": due_at, "sweeps": sweeps},
        write_field="release_id",
    )


def leave_list(retried_as: TaskId) -> dict[str, Any]:
    """Return what a failed task gets when another task does it again: it waits no more."""
    return {"listed_at": None, "retried_as": retried_as}


def _held(task: Task, *, cancel_requested: bool | None = None) -> Guard:
    return Guard(state=State.RUNNING, fence=task.fence, cancel_requested=cancel_requested)


def uncounted(task: Task) -> dict[str, Any]:
    """Return what a task gets whose attempt is not to cost it one."""
    return {"uncounted": task.uncounted + 1, "max_attempts": task.max_attempts + 1}


def failed(now: datetime, expires_at: datetime, error: TaskError) -> dict[str, Any]:
    """Return what a task gets that fails: it is on the list of failed tasks."""
    return ended(now, expires_at) | {
        "error": error,
        "own_fault": not error.callers,
        "listed_at": now,
    }


def ended(now: datetime, expires_at: datetime) -> dict[str, Any]:
    """Return what a task gets that ends."""
    return {
        "finished_at": now,
        "expires_at": expires_at,
        "due_at": None,
        "lease_until": None,
        "not_before": None,
    }


def history(task: Task, ended_at: datetime | None, error: TaskError | None) -> dict[str, Any]:
    """Return the task's history with its running attempt ended: as many records as an item holds.

    Only the attempt that holds a task, or who recovers it, writes it: so it is written whole.
    """
    if error is not None:
        error = replace(error, message=error.message[:HISTORY_ERROR_CHARACTERS])
    started_at = task.attempt_started_at or task.created_at
    record = AttemptRecord(task.attempts, started_at, ended_at, error)
    return {"history": (*task.history, record)[-HISTORY_RECORDS:]}
