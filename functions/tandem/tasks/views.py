"""A task as those see it who may: in the API's answers, and in callbacks."""

from contextvars import ContextVar
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from tandem.tasks.task import Mode, State, Task, TaskError

BASE_PATH: ContextVar[str] = ContextVar("BASE_PATH", default="")
"""What stands before the API's paths for the caller who is answered: `/v1` of an API mapping."""


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
    permanent: bool = Field(description="Whether trying again cannot help.")


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
        return TaskView(**task_fields(task))


class TaskEvent(BaseModel):
    """What a callback says: the task, without its input and output."""

    type: Literal["task.succeeded", "task.failed", "task.cancelled"]
    timestamp: datetime = Field(description="When the task ended.")
    data: TaskView

    @staticmethod
    def of(task: Task) -> "TaskEvent":
        """Return the event of a final task: the same each time."""
        return TaskEvent.model_validate(
            {
                "type": f"task.{task.state}",
                "timestamp": task.finished_at,
                "data": TaskView.of(task),
            }
        )


def error_view(error: TaskError | None) -> ErrorView | None:
    """Return the view of an error, if there is one."""
    if error is None:
        return None
    return ErrorView(type=error.type, message=error.message, permanent=error.permanent)


def task_fields(task: Task) -> dict[str, Any]:
    """Return what every view of a task shows."""
    progress, place = task.progress, f"{BASE_PATH.get()}/tasks/{task.task_id}"
    return {
        "task_id": task.task_id,
        "processor": task.processor,
        "mode": task.mode,
        "state": task.state,
        "attempts": task.attempts,
        "progress": progress
        and ProgressView(done=progress.done, total=progress.total, message=progress.message),
        "error": error_view(task.error),
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
