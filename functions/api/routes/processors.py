"""The catalogue of processors."""

from fastapi import APIRouter

from api.catalogue_models import Limits, ProcessorList, ProcessorView
from api.identity import Reader
from api.services import Services
from tandem import limits

router = APIRouter(tags=["processors"])


@router.get("/processors", operation_id="list_processors")
async def list_processors(caller: Reader, services: Services) -> ProcessorList:
    """Answer with every processor, its schemas and the limits."""
    del caller
    return ProcessorList(
        processors=[ProcessorView.of(one) for one in services.catalogue.values()],
        limits=Limits(
            body_bytes=limits.BODY_BYTES,
            inline_bytes=limits.INLINE_BYTES,
            upload_bytes=limits.UPLOAD_BYTES,
            online_budget_seconds=services.settings.online_budget_seconds,
            page_tasks=limits.PAGE_TASKS,
        ),
    )
