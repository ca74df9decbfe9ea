"""The API's response models."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from tandem.callbacks.callback import Callback, CallbackState, GivenUp
from tandem.tasks.task import Task
from tandem.tasks.views import ErrorView, TaskView, error_view, task_fields


class AttemptView(BaseModel):
    """One attempt as it went. Without an end it runs, or died without a word."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    error: ErrorView | None


class CallbackView(BaseModel):
    """How far a task's callback is."""

    url: str
    state: CallbackState
    attempts: int = Field(description="How often it was sent.")
    delivered_at: datetime | None
    failed_at: datetime | None = Field(description="When it was given up.")
    reason: GivenUp | None = Field(description="Why it was given up.")
    error: str | None = Field(description="Why the latest attempt did not deliver it.")

    @staticmethod
    def of(callback: Callback) -> "CallbackView":
        """Return the view of a callback."""
        return CallbackView(
            url=callback.url,
            state=callback.state,
            attempts=callback.attempts,
            delivered_at=callback.delivered_at,
            failed_at=callback.failed_at,
            reason=callback.reason,
            error=callback.error,
        )


class TaskDetail(TaskView):
    """A task with its attempts."""

    history: list[AttemptView] = Field(description="Its latest attempts, 20 at the most.")
    callback: CallbackView | None = Field(description="Whom its end is told; None when nobody.")

    @staticmethod
    def of(task: Task) -> "TaskDetail":
        """Return the view of a task and its attempts."""
        history = [
            AttemptView(
                number=record.number,
                started_at=record.started_at,
                ended_at=record.ended_at,
                error=error_view(record.error),
            )
            for record in task.attempt_records
        ]
        callback = CallbackView.of(task.callback) if task.callback else None
        return TaskDetail(**task_fields(task), history=history, callback=callback)


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
