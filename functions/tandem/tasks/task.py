"""The task: its states, its parts and their invariants, and how long it is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tandem.callbacks.callback import Callback
from tandem.ids import TaskId, TenantId

HISTORY_RECORDS = 20
"""Attempts that a task's history holds: the latest. An item must stay below 400 KB."""

HISTORY_ERROR_CHARACTERS = 250
"""An error's message as the history keeps it."""


class Mode(StrEnum):
    """How a task was asked for."""

    ONLINE = "online"
    OFFLINE = "offline"


class State(StrEnum):
    """Where a task is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a task in this state never changes again."""
        return not LEGAL_TRANSITIONS[self]


LEGAL_TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.QUEUED, State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset(
        {State.RUNNING, State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED}
    ),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class InlinePayload:
    """JSON text that is kept with the task."""

    text: str

    @property
    def size_bytes(self) -> int:
        """Its size in UTF-8."""
        return len(self.text.encode())


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """A document or file that is kept in the blob store, because of its size or its kind."""

    key: str
    size_bytes: int


Payload = InlinePayload | StoredPayload


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why an attempt failed: the error's class, and its message for the task's owner."""

    type: str
    message: str
    permanent: bool = False
    """Trying again cannot help. The retry policy decides that once. All others read it here."""
    own: bool = False
    """The processor or the deployment is at fault, though trying again cannot help."""

    @property
    def callers(self) -> bool:
        """Whether the caller is at fault, and only the caller can mend it."""
        return self.permanent and not self.own


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt of a task as it went. Without an end it runs, or died with its process."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    error: TaskError | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running attempt says it is."""

    done: int
    total: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Fence:
    """Which attempt holds a task. A write that carries an older fence is refused."""

    attempt: int
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class DueTask:
    """What a sweep needs to know of a task in flight."""

    task_id: TaskId
    state: State
    due_at: datetime
    sweeps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One submitted run of a processor."""

    task_id: TaskId
    tenant: TenantId
    processor: str
    mode: Mode
    state: State
    input: Payload
    max_attempts: int
    created_at: datetime
    expires_at: datetime | None = None
    """From when the store may forget it: only a final task is ever forgotten."""
    attempts: int = 0
    uncounted: int = 0
    """Of its attempts, those that cost it none: each raised `max_attempts` by one."""
    max_crashes: int = 2
    """How many attempts may end with their process in company at no cost."""
    crashes: int = 0
    """How many attempts ended with their process."""
    alone: bool = False
    """The worker runs it when nothing else runs in its process: an attempt ended with one."""
    in_company: bool = False
    """Whether other work ran in the process of its latest attempt."""
    history: tuple[AttemptRecord, ...] = ()
    """Its latest attempts that have ended, in their order: at most `HISTORY_RECORDS`."""
    sweeps: int = 0
    """How often it was found overdue."""
    due_at: datetime | None = None
    """When a task in flight must next have moved. None for a final one."""
    not_before: datetime | None = None
    """Until when a queued task waits for its next attempt."""
    lease_until: datetime | None = None
    started_at: datetime | None = None
    """When its first attempt started."""
    attempt_started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress | None = None
    output: Payload | None = None
    file: StoredPayload | None = None
    """The file that the processor saved as its result."""
    error: TaskError | None = None
    """Of the latest attempt that failed."""
    cancel_requested_at: datetime | None = None
    """When the owner asked a running task to stop."""
    own_fault: bool = False
    """It failed, and not by its caller's fault."""
    listed_at: datetime | None = None
    """Since when it waits on the list of failed tasks. None when it does not."""
    retried_as: TaskId | None = None
    """The task that does this failed one again: the first one, when its owner made several."""
    retry_of: TaskId | None = None
    """The finished task that this one does again."""
    first_task: TaskId | None = None
    """The first of the chain of tasks that `retry_of` links. None for the first itself."""
    requested_by: str | None = None
    """The operator who redrove it."""
    traceparent: str | None = None
    """The trace that it belongs to (W3C trace context)."""
    cache_key: str | None = None
    """Under which its output is to be kept for the same input."""
    cached_from: TaskId | None = None
    """The task whose stored result this one was answered with."""
    callback: Callback | None = None
    """Whom its end is told."""
    claim_id: str | None = None
    release_id: str | None = None
    end_id: str | None = None
    """The `Change.write_id` of the latest write of each kind that decides something."""

    @property
    def attempt_records(self) -> tuple[AttemptRecord, ...]:
        """Its latest attempts, in their order, with the one that runs."""
        if self.state is not State.RUNNING or self.attempt_started_at is None:
            return self.history
        return (*self.history, AttemptRecord(self.attempts, self.attempt_started_at))

    @property
    def waits_for_sweep(self) -> bool:
        """Whether no message carries it: the sweep sends one when its time has come."""
        return self.due_at is not None and self.due_at == self.not_before

    @property
    def origin(self) -> TaskId:
        """The first task of its chain."""
        return self.first_task or self.task_id

    @property
    def fence(self) -> Fence:
        """The fencing token of the attempt that holds this task.

        Raises:
            ValueError: nothing holds it.
        """
        if self.lease_until is None:
            message = f"task {self.task_id} is not held by an attempt"
            raise ValueError(message)
        return Fence(self.attempts, self.lease_until)


LEAST = timedelta(days=1)
"""How long a task is kept after its end, however late that is."""


@dataclass(frozen=True, slots=True)
class Retention:
    """The same for all tasks."""

    period: timedelta

    def expiry(self, task: Task, finished_at: datetime) -> datetime:
        """Return from when a task that finished then may be forgotten, to the second.

        It counts from the submission: the bucket's lifecycle deletes what a task keeps there so
        long after it was stored, and an input is stored at the submission (template.yaml).
        """
        return max(task.created_at + self.period, finished_at + LEAST).replace(microsecond=0)
