"""The demonstration task."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tandem.http.dependencies import Services, Writer
from tandem.http.headers import JSON_SPOKEN
from tandem.http.models import Accepted
from tandem.http.problems import not_found
from tandem.http.submission import enqueue
from tandem.tasks.submit import NewTask

router = APIRouter(tags=["processing"], dependencies=[JSON_SPOKEN])

RUNNING = "Task is running"


@router.get(
    "/heavy-task",
    operation_id="start_heavy_task",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: {"model": Accepted, "description": "It is queued."},
    },
)
async def start_heavy_task(
    caller: Writer,
    services: Services,
    request: Request,
    blocks: Annotated[int, Query(ge=1, le=256)] = 32,
    block_mb: Annotated[int, Query(ge=1, le=16)] = 4,
) -> Response:
    """Queue a task over generated blocks: work to watch.

    It is one of the processor that the application names for it, or of the library's own.
    """
    processor = services.catalogue.heavy_task
    if processor is None or processor.heavy_task is None:
        raise not_found("processor")
    asked = processor.heavy_task(blocks, block_mb)
    new = NewTask(
        tenant=caller.tenant,
        processor=processor,
        document=asked.model_dump_json(exclude_unset=True).encode(),
        traceparent=request.state.traceparent,
    )
    return enqueue(new, services, RUNNING).accepted()
