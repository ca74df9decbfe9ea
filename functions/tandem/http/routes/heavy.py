"""The demonstration task."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from tandem.http.identity import Writer
from tandem.http.models import Accepted
from tandem.http.negotiation import JSON_SPOKEN
from tandem.http.problems import not_found
from tandem.http.services import Services
from tandem.http.submitting import enqueue
from tandem.tasks.submit import NewTask

router = APIRouter(tags=["processing"], dependencies=[JSON_SPOKEN])

RUNNING = "Task is running"


@router.get(
    "/heavy-task",
    operation_id="start_heavy_task",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: {"model": Accepted, "description": "It is queued."},
        404: {"description": "There is no processor `checksum-files`."},
    },
)
async def start_heavy_task(
    caller: Writer,
    services: Services,
    request: Request,
    blocks: Annotated[int, Query(ge=1, le=256)] = 32,
    block_mb: Annotated[int, Query(ge=1, le=16)] = 4,
) -> Response:
    """Queue a `checksum-files` task over generated blocks: work to watch."""
    processor = services.catalogue.get("checksum-files")
    if processor is None:
        raise not_found("processor")
    asked: BaseModel = processor.input(blocks=blocks, block_mb=block_mb)
    new = NewTask(
        tenant=caller.tenant,
        processor=processor,
        document=asked.model_dump_json(exclude_unset=True).encode(),
        traceparent=request.state.traceparent,
    )
    return enqueue(new, services, RUNNING).accepted()
