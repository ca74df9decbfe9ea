"""The catalogue of processors."""

from functools import cache

from fastapi import APIRouter, Response

from api.catalogue_models import Limits, ProcessorList, ProcessorView
from api.etag import NOT_MODIFIED, IfNoneMatch, tagged
from api.identity import Reader
from api.negotiation import JSON_SPOKEN
from api.services import Services
from tandem import limits
from tandem.processing.processor import AnyProcessor
from tandem.services.capacity import Capacity

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
    processors = tuple(services.catalogue.values())
    document = _document(processors, services.capacity, budget_seconds)
    return tagged(document, if_none_match)


@cache
def _document(
    processors: tuple[AnyProcessor, ...], capacity: Capacity, online_budget_seconds: float
) -> str:
    """Return the catalogue as JSON: its schemas cost 15 times a request, and never change."""
    return ProcessorList(
        processors=[ProcessorView.of(one, capacity) for one in processors],
        limits=Limits(
            body_bytes=limits.BODY_BYTES,
            inline_bytes=limits.INLINE_BYTES,
            upload_bytes=capacity.largest_upload(processors),
            online_budget_seconds=online_budget_seconds,
            page_tasks=limits.PAGE_TASKS,
        ),
    ).model_dump_json()
