"""What the API answers with."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from tandem.domain.task import Mode, State, Task
from tandem.processing.processor import AnyProcessor


class TaskLinks(BaseModel):
    """Where a task's parts are."""

    self: str
    result: str


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
    started_at: datetime | None = Field(description="When the first attempt started.")
    finished_at: datetime | None
    expires_at: datetime = Field(description="From when it may be forgotten.")
    retry_of: str | None
    links: TaskLinks

    @staticmethod
    def of(task: Task) -> "TaskView":
        """Return the view of a task."""
        progress, error = task.progress, task.error
        return TaskView(
            task_id=task.task_id,
            processor=task.processor,
            mode=task.mode,
            state=task.state,
            attempts=task.attempts,
            progress=ProgressView(
                done=progress.done, total=progress.total, message=progress.message
            )
            if progress
            else None,
            error=ErrorView(type=error.type, message=error.message) if error else None,
            created_at=task.created_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
            expires_at=task.expires_at,
            retry_of=task.retry_of,
            links=TaskLinks(self=f"/tasks/{task.task_id}", result=f"/tasks/{task.task_id}/result"),
        )


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


class UploadRequest(BaseModel):
    """A file that is to be uploaded."""

    filename: str = Field(
        min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$", examples=["orders.csv"]
    )
    content_type: str = Field(
        pattern=r"^[a-z]+/[A-Za-z0-9][A-Za-z0-9.+-]{0,100}$", examples=["text/csv"]
    )
    size: int = Field(ge=1, description="Its exact size in bytes.", examples=[1024])


class UploadTicket(BaseModel):
    """How to upload the file: POST the fields, then the file as `file`, to the URL."""

    upload_id: str = Field(description="What a processor's input names the upload by.")
    url: str
    fields: dict[str, str]
    expires_at: datetime = Field(description="Until when the form can be used.")


class RetryView(BaseModel):
    """When a failed attempt is tried again."""

    attempts: int
    min_backoff_seconds: float
    max_backoff_seconds: float


class ProcessorView(BaseModel):
    """A processor as the catalogue shows it."""

    name: str
    summary: str
    time_limit_seconds: float
    retry: RetryView
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]

    @staticmethod
    def of(processor: AnyProcessor) -> "ProcessorView":
        """Return the view of a processor."""
        return ProcessorView(
            name=processor.name,
            summary=processor.summary,
            time_limit_seconds=processor.time_limit_seconds,
            retry=RetryView(
                attempts=processor.retry.attempts,
                min_backoff_seconds=processor.retry.min_backoff_seconds,
                max_backoff_seconds=processor.retry.max_backoff_seconds,
            ),
            input_schema=processor.input.model_json_schema(),
            output_schema=processor.output.model_json_schema(mode="serialization"),
        )


class Limits(BaseModel):
    """What a caller can meet."""

    body_bytes: int
    inline_bytes: int
    upload_bytes: int
    online_budget_seconds: float
    page_tasks: int


class ProcessorList(BaseModel):
    """The catalogue."""

    processors: list[ProcessorView]
    limits: Limits
