"""The catalogue of processors."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from tandem import limits
from tandem.files.capacity import Capacity
from tandem.http.dependencies import Reader, Services
from tandem.http.headers import JSON_SPOKEN, NOT_MODIFIED, IfNoneMatch, tagged
from tandem.processing.processor import AnyProcessor, OnlineMode


class RetryView(BaseModel):
    """When a failed attempt is tried again."""

    attempts: int
    min_backoff_seconds: float
    max_backoff_seconds: float
    crashes: int = Field(description="Ends with its process, beside others, that cost no attempt.")
    timeouts: bool = Field(description="Whether an attempt that takes too long is tried again.")


class UploadsTaken(BaseModel):
    """How many bytes of uploads one task may read on this deployment, all of them together.

    Null where the processor does not say. 0 where it takes none.
    """

    online: int | None = Field(
        description="By `POST /process-online`; where offline is more, the task goes on offline."
    )
    offline: int | None = Field(description="By `POST /process-offline`.")


class ProcessorView(BaseModel):
    """A processor as the catalogue shows it."""

    name: str
    summary: str
    time_limit_seconds: float = Field(
        description="How long an attempt in the worker may take on this deployment."
    )
    online_time_limit_seconds: float | None = Field(
        description="How long the API runs it on this deployment: its time limit, or the online "
        "budget, past which a task goes on offline. Null where only the worker runs it."
    )
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
            time_limit_seconds=capacity.offline_seconds(processor),
            online_time_limit_seconds=capacity.online_seconds(processor),
            online=processor.online,
            upload_bytes=UploadsTaken(
                online=capacity.online(processor), offline=capacity.offline(processor)
            ),
            retry=RetryView(
                attempts=processor.retry.attempts,
                min_backoff_seconds=processor.retry.min_backoff_seconds,
                max_backoff_seconds=processor.retry.max_backoff_seconds,
                crashes=processor.retry.crashes,
                timeouts=processor.retry.timeouts,
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


router = APIRouter(tags=["processors"], dependencies=[JSON_SPOKEN])


@router.get(
    "/processors",
    operation_id="list_processors",
    responses={200: {"model": ProcessorList}, 304: NOT_MODIFIED},
)
async def list_processors(
    caller: Reader, services: Services, if_none_match: IfNoneMatch = None
) -> Response:
    """Answer with every processor, its schemas and the limits."""
    del caller
    budget_seconds = services.settings.online_budget_seconds
    shown = services.catalogue.shown(services.settings.hidden_processors)
    processors = tuple(shown.values())
    document = _document(processors, services.capacity, budget_seconds)
    return tagged(document, if_none_match)


@cache
def _document(
    processors: tuple[AnyProcessor, ...], capacity: Capacity, online_budget_seconds: float
) -> str:
    """Return the catalogue as JSON: its schemas cost 15 times a request, and never change."""
    return ProcessorList(
        processors=[ProcessorView.of(processor, capacity) for processor in processors],
        limits=Limits(
            body_bytes=limits.BODY_BYTES,
            inline_bytes=limits.INLINE_BYTES,
            upload_bytes=capacity.largest_upload(processors),
            online_budget_seconds=online_budget_seconds,
            page_tasks=limits.PAGE_TASKS,
        ),
    ).model_dump_json()
