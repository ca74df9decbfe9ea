"""The legal changes of a task, each one value: what must hold, and what becomes of the task.

Every change of state goes through `Change`. The in-memory store applies it with `apply`; a
database adapter turns the same value into one conditional write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tandem.domain.task import (
    LEGAL_TRANSITIONS,
    Fence,
    Payload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One state that a change may start from, and what else must hold there."""

    state: State
    fence: Fence | None = None
    """The attempt that must hold the task."""
    lease_expired_at: datetime | None = None
    """The lease must have ended by this time."""
    ready_at: datetime | None = None
    """The task must not have to wait beyond this time."""
    attempts_left: bool | None = None
    """Whether another attempt must be allowed, or none; None when it does not matter."""

    def holds(self, task: Task) -> bool:
        """Return whether the task is as this guard asks."""
        return (
            task.state is self.state
            and (self.fence is None or task.fence == self.fence)
            and (self.lease_expired_at is None or _passed(task.lease_until, self.lease_expired_at))
            and (self.ready_at is None or _passed(task.not_before, self.ready_at))
            and self.attempts_left in (None, task.attempts < task.max_attempts)
        )


def _passed(moment: datetime | None, now: datetime) -> bool:
    return moment is None or moment <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a task: allowed when any guard holds."""

    guards: tuple[Guard, ...]
    to: State
    sets: Mapping[str, Any] = field(default_factory=dict)
    """The fields of the task that get a new value; None clears one."""
    starts_attempt_at: datetime | None = None
    """Counts one more attempt, started at this time."""

    def __post_init__(self) -> None:
        """Refuse a change that the state machine does not know."""
        for guard in self.guards:
            if self.to not in LEGAL_TRANSITIONS[guard.state]:
                message = f"a task never goes from {guard.state} to {self.to}"
                raise ValueError(message)

    def allowed(self, task: Task) -> bool:
        """Return whether the task may change so."""
        return any(guard.holds(task) for guard in self.guards)

    def apply(self, task: Task) -> Task:
        """Return the changed task; call it only when the change is allowed."""
        changed = replace(task, state=self.to, **self.sets)
        if self.starts_attempt_at is None:
            return changed
        return replace(
            changed,
            attempts=task.attempts + 1,
            started_at=task.started_at or self.starts_attempt_at,
            attempt_started_at=self.starts_attempt_at,
        )


def claim(*, now: datetime, lease_until: datetime) -> Change:
    """Start the next attempt of a queued task, or of one whose attempt died with its lease."""
    return Change(
        guards=(
            Guard(state=State.QUEUED, ready_at=now, attempts_left=True),
            Guard(state=State.RUNNING, lease_expired_at=now, attempts_left=True),
        ),
        to=State.RUNNING,
        sets={"lease_until": lease_until, "due_at": lease_until, "not_before": None},
        starts_attempt_at=now,
    )


def report_progress(fence: Fence, progress: Progress) -> Change:
    """Record how far the attempt is."""
    return Change(
        guards=(Guard(state=State.RUNNING, fence=fence),),
        to=State.RUNNING,
        sets={"progress": progress},
    )


def succeed(
    fence: Fence, *, now: datetime, output: Payload, file: StoredPayload | None = None
) -> Change:
    """End the task with the attempt's output."""
    return Change(
        guards=(Guard(state=State.RUNNING, fence=fence),),
        to=State.SUCCEEDED,
        sets=_ended(now) | {"output": output, "file": file, "error": None, "progress": None},
    )


def fail(fence: Fence, *, now: datetime, error: TaskError) -> Change:
    """End the task with the attempt's error."""
    return Change(
        guards=(Guard(state=State.RUNNING, fence=fence),),
        to=State.FAILED,
        sets=_ended(now) | {"error": error},
    )


def give_up(*, now: datetime, error: TaskError) -> Change:
    """End a task that no attempt holds any more and that has none left."""
    return Change(
        guards=(
            Guard(state=State.RUNNING, lease_expired_at=now, attempts_left=False),
            Guard(state=State.QUEUED, attempts_left=False),
        ),
        to=State.FAILED,
        sets=_ended(now) | {"error": error},
    )


def release(
    fence: Fence,
    *,
    not_before: datetime,
    due_at: datetime,
    error: TaskError | None = None,
    max_attempts: int | None = None,
) -> Change:
    """Put the task back into the queue: its attempt failed, or is given up.

    Args:
        fence: the attempt that holds the task.
        not_before: until when it waits for its next attempt.
        due_at: when that attempt must have started.
        error: why the attempt failed.
        max_attempts: a new bound, for an attempt that shall not count.
    """
    sets: dict[str, Any] = {"lease_until": None, "not_before": not_before, "due_at": due_at}
    if error is not None:
        sets["error"] = error
    if max_attempts is not None:
        sets["max_attempts"] = max_attempts
    return Change(guards=(Guard(state=State.RUNNING, fence=fence),), to=State.QUEUED, sets=sets)


def _ended(now: datetime) -> dict[str, Any]:
    return {"finished_at": now, "due_at": None, "lease_until": None, "not_before": None}
