"""The legal changes of a task, each one value: what must hold, and what becomes of the task.

Every change of state goes through `Change`. The in-memory store applies it with `apply`. A
database adapter turns the same value into one conditional write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from secrets import token_hex
from typing import Any, Literal

from tandem.tasks.task import LEGAL_TRANSITIONS, Fence, State, Task

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
