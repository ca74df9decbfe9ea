"""What the API answers with."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from tandem.domain.task import Mode, State, Task, TaskError


class TaskLinks(BaseModel):
    """Where a task's parts are."""

    self: str
    result: str
    cancel: str
    retry: str


class ErrorView(BaseModel):
    """Why the latest attempt failed."""

    type: str
    message: str


class ProgressView(BaseModel):
    """How far the running attempt is."""

    done: int
    total: int | None
    message: str


class TaskView(BaseModel):
    """A task as its owner sees it."""

    task_id: str
    processor: str
    mode: Mode
    state: State
    attempts: int = Field(description="How many attempts were started.")
    progress: ProgressView | None
    error: ErrorView | None
    created_at: datetime
    run_after: datetime | None = Field(description="Until when a queued task waits.")
    started_at: datetime | None = Field(description="When the first attempt started.")
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="From when a finished task may be forgotten.")
    cancel_requested_at: datetime | None = Field(description="When a running task was to stop.")
    retry_of: str | None = Field(description="The finished task that this one does again.")
    requested_by: str | None = Field(description="The operator who redrove it.")
    cached_from: str | None = Field(description="The task whose stored result it was given.")
    links: TaskLinks

    @staticmethod
    def of(task: Task) -> "TaskView":
        """Return the view of a task."""
        return TaskView(**_fields(task))


class AttemptView(BaseModel):
    """One attempt as it went; without an end it runs, or died without a word."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    error: ErrorView | None


class TaskDetail(TaskView):
    """A task with its attempts."""

    history: list[AttemptView]

    @staticmethod
    def of(task: Task) -> "TaskDetail":
        """Return the view of a task and its attempts."""
        history = [
            AttemptView(
                number=number,
                started_at=record.started_at,
                ended_at=record.ended_at,
                error=_error(record.error),
            )
            for number, record in enumerate(task.history, 1)
        ]
        return TaskDetail(**_fields(task), history=history)


def _error(error: TaskError | None) -> ErrorView | None:
    return ErrorView(type=error.type, message=error.message) if error else None


def _fields(task: Task) -> dict[str, Any]:
    progress, place = task.progress, f"/tasks/{task.task_id}"
    return {
        "task_id": task.task_id,
        "processor": task.processor,
        "mode": task.mode,
        "state": task.state,
        "attempts": task.attempts,
        "progress": progress
        and ProgressView(done=progress.done, total=progress.total, message=progress.message),
        "error": _error(task.error),
        "created_at": task.created_at,
        "run_after": task.not_before,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "expires_at": task.expires_at,
        "cancel_requested_at": task.cancel_requested_at,
        "retry_of": task.retry_of,
        "requested_by": task.requested_by,
        "cached_from": task.cached_from,
        "links": TaskLinks(
            self=place,
            result=f"{place}/result",
            cancel=f"{place}/cancel",
            retry=f"{place}/retry",
        ),
    }


class TaskList(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class Accepted(BaseModel):
    """A task that runs offline."""

    message: str
    task_id: str
    task: TaskView


class ProcessedOnline(BaseModel):
    """A task that ran while the caller waited."""

    message: str
    task_id: str
    processor: str
    duration_ms: int
    output: Any = Field(description="The processor's output.")


class BatchItem(BaseModel):
    """What became of one task of a batch: it was recorded, or it says why not."""

    task: TaskView | None = None
    replayed: bool = Field(default=False, description="It was recorded by an earlier request.")
    error: str | None = None


class BatchAnswer(BaseModel):
    """What became of each task, in the order of the request."""

    items: list[BatchItem]
