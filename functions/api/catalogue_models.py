"""The catalogue of processors as the API answers it."""

from typing import Any

from pydantic import BaseModel, Field

from tandem.processing.processor import AnyProcessor, OnlineMode
from tandem.services.capacity import Capacity


class RetryView(BaseModel):
    """When a failed attempt is tried again."""

    attempts: int
    min_backoff_seconds: float
    max_backoff_seconds: float
    crashes: int = Field(description="Ends with its process, beside others, that cost no attempt.")


class UploadsTaken(BaseModel):
    """How many bytes of uploads one task may read on this deployment, all of them together.

    Null where the processor does not say; 0 where it takes none.
    """

    online: int | None = Field(
        description="By `POST /process-online`; where offline is more, the task goes on offline."
    )
    offline: int | None = Field(description="By `POST /process-offline`.")


class ProcessorView(BaseModel):
    """A processor as the catalogue shows it."""

    name: str
    summary: str
    time_limit_seconds: float
    online: OnlineMode = Field(description="What `POST /process-online` does with it.")
    upload_bytes: UploadsTaken
    retry: RetryView
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]

    @staticmethod
    def of(processor: AnyProcessor, capacity: Capacity) -> "ProcessorView":
        """Return the view of a processor."""
        return ProcessorView(
            name=processor.name,
            summary=processor.summary,
            time_limit_seconds=processor.time_limit_seconds,
            online=processor.online,
            upload_bytes=UploadsTaken(
                online=capacity.online(processor), offline=capacity.offline(processor)
            ),
            retry=RetryView(
                attempts=processor.retry.attempts,
                min_backoff_seconds=processor.retry.min_backoff_seconds,
                max_backoff_seconds=processor.retry.max_backoff_seconds,
                crashes=processor.retry.crashes,
            ),
            input_schema=processor.input.model_json_schema(),
            output_schema=processor.output.model_json_schema(mode="serialization"),
        )


class Limits(BaseModel):
    """What a caller can meet."""

    body_bytes: int
    inline_bytes: int
    upload_bytes: int = Field(description="Of one upload: the most that any processor takes.")
    online_budget_seconds: float
    page_tasks: int


class ProcessorList(BaseModel):
    """The catalogue."""

    processors: list[ProcessorView]
    limits: Limits
