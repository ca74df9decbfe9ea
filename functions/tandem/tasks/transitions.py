"""Every change that Tandem makes to a task, each one value: what must hold, and what follows.

Every change of state goes through `Change`. The in-memory store applies it with `apply`. A
database adapter turns the same value into one conditional write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_hex
from typing import Any, Literal

from tandem.ids import TaskId
from tandem.tasks.task import (
    HISTORY_ERROR_CHARACTERS,
    HISTORY_RECORDS,
    LEGAL_TRANSITIONS,
    AttemptRecord,
    Fence,
    Payload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)

WriteField = Literal["claim_id", "release_id", "end_id"]
"""The field of a task that holds the id of the latest write of a kind."""


def _new_write_id() -> str:
    return token_hex(8)


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
    due_at: datetime | None = None
    """The due time must be this one: nothing has moved the task since it was read."""
    attempts_left: bool | None = None
    """Whether another attempt must be allowed, or none. None when it does not matter."""
    cancel_requested: bool | None = None
    """Whether a stop must have been asked for, or not. None when it does not matter."""
    alone: bool | None = None
    """Whether it must be marked to run alone, or not. None when it does not matter."""

    def holds(self, task: Task) -> bool:
        """Return whether the task is as this guard asks."""
        return (
            task.state is self.state
            and (self.fence is None or task.fence == self.fence)
            and (self.lease_expired_at is None or _passed(task.lease_until, self.lease_expired_at))
            and (self.ready_at is None or _passed(task.not_before, self.ready_at))
            and self.due_at in (None, task.due_at)
            and self.attempts_left in (None, task.attempts < task.max_attempts)
            and self.cancel_requested in (None, task.cancel_requested_at is not None)
            and self.alone in (None, task.alone)
        )


def _passed(moment: datetime | None, now: datetime) -> bool:
    return moment is None or moment <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a task: allowed when any guard holds.

    An SDK sends a write again when its answer was lost. The guards then refuse what they allowed
    before. So each change that decides something leaves its id in the task, in a field that only
    the next change of its kind overwrites: a refusal that shows one's own id is a success.
    """

    guards: tuple[Guard, ...]
    to: State
    sets: Mapping[str, Any] = field(default_factory=dict)
    """The fields of the task that get a new value. None or False clears one."""
    starts_attempt_at: datetime | None = None
    """Counts one more attempt, started at this time."""
    counts_sweep: bool = False
    """Counts that the task was found overdue."""
    write_field: WriteField | None = None
    """Where the change leaves its id. None when it decides nothing."""
    write_id: str = field(default_factory=_new_write_id)

    def __post_init__(self) -> None:
        """Refuse a change that the state machine does not know."""
        for guard in self.guards:
            if self.to not in LEGAL_TRANSITIONS[guard.state]:
                message = f"a task never goes from {guard.state} to {self.to}"
                raise ValueError(message)

    def allowed(self, task: Task) -> bool:
        """Return whether the task may change so."""
        return any(guard.holds(task) for guard in self.guards)

    def made(self, task: Task) -> bool:
        """Return whether this very change was made: the task shows its id."""
        return self.write_field is not None and getattr(task, self.write_field) == self.write_id

    def apply(self, task: Task) -> Task:
        """Return the changed task. Call it only when the change is allowed."""
        written: dict[str, Any] = {self.write_field: self.write_id} if self.write_field else {}
        changed = replace(task, state=self.to, **self.sets, **written)
        if self.counts_sweep:
            changed = replace(changed, sweeps=task.sweeps + 1)
        if self.starts_attempt_at is None:
            return changed
        return replace(
            changed,
            attempts=task.attempts + 1,
            started_at=task.started_at or self.starts_attempt_at,
            attempt_started_at=self.starts_attempt_at,
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
