"""Uploading files for processors to read."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.idempotency import REPLAYED, IdempotencyKey, same_request
from api.identity import Reader, Writer
from api.negotiation import JSON_SPOKEN
from api.owned import UploadIdPath, owned_upload
from api.problems import invalid
from api.services import Services
from api.strict_json import StrictJsonRoute
from api.submitting import key_in_flight, upload_too_large
from api.upload_models import UploadRequest, UploadTicket, UploadView
from tandem.domain.ids import UploadId, new_upload_id
from tandem.limits import UPLOAD_LIFETIME
from tandem.ports import Contended, KeyUsed, upload_key

router = APIRouter(
    prefix="/uploads", tags=["uploads"], route_class=StrictJsonRoute, dependencies=[JSON_SPOKEN]
)


@router.post(
    "",
    operation_id="create_upload",
    status_code=HTTPStatus.CREATED,
    responses={413: {"description": "The file is, or the body is, too large."}},
)
async def create_upload(
    body: UploadRequest,
    caller: Writer,
    services: Services,
    once: IdempotencyKey,
    response: Response,
) -> UploadTicket:
    """Answer with a form that uploads one file of that type and at most that size.

    With `processor`, a file that it does not take on this deployment is refused; without, one that
    no processor takes (`GET /processors`).
    """
    _check_size(body, services)
    now = services.clock.now()
    upload_id = new_upload_id(now)
    if once is not None:
        try:
            services.store.claim_key(once, upload_id)
        except KeyUsed as used:
            upload_id = UploadId(same_request(once, used.before))
            response.headers.update(REPLAYED)
        except Contended:
            raise key_in_flight() from None
    form = services.blobs.upload_form(
        upload_key(caller.tenant, upload_id),
        filename=body.filename,
        content_type=body.content_type,
        max_bytes=body.size,
        lifetime=UPLOAD_LIFETIME,
    )
    ends = now + UPLOAD_LIFETIME
    return UploadTicket(
        upload_id=upload_id,
        url=form.url,
        fields=form.fields,
        expires_at=min(ends, form.session_ends_at or ends),
    )


def _check_size(body: UploadRequest, services: Services) -> None:
    """Answer 413 for a file that cannot be used, or 422 when there is no such processor."""
    capacity, catalogue = services.capacity, services.catalogue
    if body.processor is None:
        largest = capacity.largest_upload(catalogue.values())
        if body.size > largest:
            detail = f"On this deployment no processor takes an upload above {largest} bytes."
            raise upload_too_large(largest, detail)
        return
    processor = catalogue.get(body.processor)
    if processor is None:
        raise invalid("/body/processor", "There is no such processor.")
    largest = capacity.largest_upload([processor])
    if body.size > largest:
        raise upload_too_large(largest, capacity.refusal(processor, largest, body.size))


@router.get(
    "/{upload_id}",
    operation_id="get_upload",
    responses={404: {"description": "There is no such upload, or no file was sent yet."}},
)
async def get_upload(upload_id: UploadIdPath, caller: Reader, services: Services) -> UploadView:
    """Answer with what is known of a file that was uploaded."""
    return UploadView.of(upload_id, owned_upload(upload_id, caller, services))


@router.delete(
    "/{upload_id}",
    operation_id="delete_upload",
    status_code=HTTPStatus.NO_CONTENT,
    responses={404: {"description": "There is no such upload, or no file was sent yet."}},
)
async def delete_upload(upload_id: UploadIdPath, caller: Writer, services: Services) -> None:
    """Delete a file that was uploaded; a task that still needs it will fail."""
    services.blobs.delete(owned_upload(upload_id, caller, services).key)
