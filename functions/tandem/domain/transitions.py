"""Every change that Tandem makes to a task."""

from datetime import datetime
from typing import Any

from tandem.domain.changes import AttemptEnd, Change, Guard
from tandem.domain.task import Fence, Payload, Progress, State, StoredPayload, TaskError


def claim(*, now: datetime, lease_until: datetime) -> Change:
    """Start the next attempt of a queued task, or of one whose attempt died with its lease."""
    return Change(
        guards=(
            Guard(state=State.QUEUED, ready_at=now, attempts_left=True),
            _dead(now, attempts_left=True, cancel_requested=False),
        ),
        to=State.RUNNING,
        sets={"lease_until": lease_until, "due_at": lease_until, "not_before": None},
        starts_attempt_at=now,
    )


def extend_lease(fence: Fence, *, lease_until: datetime) -> Change:
    """Let the attempt hold the task for longer."""
    return Change(
        guards=(_held(fence),),
        to=State.RUNNING,
        sets={"lease_until": lease_until, "due_at": lease_until},
    )


def report_progress(fence: Fence, progress: Progress) -> Change:
    """Record how far the attempt is."""
    return Change(guards=(_held(fence),), to=State.RUNNING, sets={"progress": progress})


def succeed(
    fence: Fence,
    *,
    now: datetime,
    expires_at: datetime,
    output: Payload,
    file: StoredPayload | None = None,
) -> Change:
    """End the task with the attempt's output."""
    result = {"output": output, "file": file, "error": None, "progress": None}
    return Change(
        guards=(_held(fence),),
        to=State.SUCCEEDED,
        sets=_ended(now, expires_at) | result,
        ends_attempt=AttemptEnd(fence.attempt, now, None),
    )


def fail(fence: Fence, *, now: datetime, expires_at: datetime, error: TaskError) -> Change:
    """End the task with the attempt's error."""
    return Change(
        guards=(_held(fence),),
        to=State.FAILED,
        sets=_ended(now, expires_at) | {"error": error},
        ends_attempt=AttemptEnd(fence.attempt, now, error),
    )


def give_up(*, now: datetime, expires_at: datetime, error: TaskError) -> Change:
    """End a task that no attempt holds any more and that has none left."""
    return Change(
        guards=(
            _dead(now, attempts_left=False, cancel_requested=False),
            Guard(state=State.QUEUED, attempts_left=False),
        ),
        to=State.FAILED,
        sets=_ended(now, expires_at) | {"error": error},
    )


def retry_later(
    fence: Fence, *, now: datetime, not_before: datetime, due_at: datetime, error: TaskError
) -> Change:
    """Queue the task for its next attempt, unless its owner asked it to stop."""
    return Change(
        guards=(_held(fence, cancel_requested=False),),
        to=State.QUEUED,
        sets={"lease_until": None, "not_before": not_before, "due_at": due_at, "error": error},
        ends_attempt=AttemptEnd(fence.attempt, now, error),
    )


def hand_back(
    fence: Fence, *, now: datetime, due_at: datetime, max_attempts: int, why: TaskError
) -> Change:
    """Queue the task again, with one more attempt allowed for the one that it lost."""
    return Change(
        guards=(_held(fence, cancel_requested=False),),
        to=State.QUEUED,
        sets={
            "lease_until": None,
            "not_before": now,
            "due_at": due_at,
            "max_attempts": max_attempts,
        },
        ends_attempt=AttemptEnd(fence.attempt, now, why),
    )


def cancel_queued(*, now: datetime, expires_at: datetime) -> Change:
    """End a task that waits."""
    return Change(
        guards=(Guard(state=State.QUEUED),),
        to=State.CANCELLED,
        sets=_ended(now, expires_at) | {"cancel_requested_at": now},
    )


def request_cancel(*, now: datetime) -> Change:
    """Ask a running task to stop."""
    return Change(
        guards=(Guard(state=State.RUNNING),),
        to=State.RUNNING,
        sets={"cancel_requested_at": now},
    )


def stop(fence: Fence, *, now: datetime, expires_at: datetime, error: TaskError | None) -> Change:
    """End a running task that was asked to stop: its attempt did."""
    return Change(
        guards=(_held(fence, cancel_requested=True),),
        to=State.CANCELLED,
        sets=_ended(now, expires_at),
        ends_attempt=AttemptEnd(fence.attempt, now, error),
    )


def stop_dead(*, now: datetime, expires_at: datetime) -> Change:
    """End a running task that was asked to stop: its attempt died."""
    return Change(
        guards=(_dead(now, cancel_requested=True),),
        to=State.CANCELLED,
        sets=_ended(now, expires_at),
    )


def send_again(*, seen_due_at: datetime, due_at: datetime) -> Change:
    """Give an overdue queued task a new due time: its message is to be sent again."""
    return Change(
        guards=(Guard(state=State.QUEUED, due_at=seen_due_at, attempts_left=True),),
        to=State.QUEUED,
        sets={"due_at": due_at},
        counts_sweep=True,
    )


def reclaim(*, now: datetime, due_at: datetime, error: TaskError) -> Change:
    """Queue a task again whose attempt died with its lease."""
    return Change(
        guards=(_dead(now, attempts_left=True, cancel_requested=False),),
        to=State.QUEUED,
        sets={"lease_until": None, "not_before": now, "due_at": due_at, "error": error},
        counts_sweep=True,
    )


def _held(fence: Fence, *, cancel_requested: bool | None = None) -> Guard:
    return Guard(state=State.RUNNING, fence=fence, cancel_requested=cancel_requested)


def _dead(now: datetime, *, attempts_left: bool | None = None, cancel_requested: bool) -> Guard:
    return Guard(
        state=State.RUNNING,
        lease_expired_at=now,
        attempts_left=attempts_left,
        cancel_requested=cancel_requested,
    )


def _ended(now: datetime, expires_at: datetime) -> dict[str, Any]:
    return {
        "finished_at": now,
        "expires_at": expires_at,
        "due_at": None,
        "lease_until": None,
        "not_before": None,
    }
