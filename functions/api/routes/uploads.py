"""Uploading files for processors to read."""

from http import HTTPStatus

from fastapi import APIRouter

from api.identity import Writer
from api.models import UploadRequest, UploadTicket
from api.problems import Problem
from api.services import Services
from tandem.domain.ids import new_upload_id
from tandem.limits import UPLOAD_BYTES, UPLOAD_LIFETIME
from tandem.ports import upload_key

router = APIRouter(prefix="/uploads", tags=["uploads"])


@router.post("", operation_id="create_upload", status_code=HTTPStatus.CREATED)
async def create_upload(body: UploadRequest, caller: Writer, services: Services) -> UploadTicket:
    """Answer with a form that uploads one file of that type and at most that size."""
    if body.size > UPLOAD_BYTES:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "upload-too-large",
            f"An upload has {UPLOAD_BYTES} bytes at most.",
        )
    now = services.clock.now()
    upload_id = new_upload_id(now)
    form = services.blobs.upload_form(
        upload_key(caller.tenant, upload_id),
        filename=body.filename,
        content_type=body.content_type,
        max_bytes=body.size,
        lifetime=UPLOAD_LIFETIME,
    )
    return UploadTicket(
        upload_id=upload_id,
        url=form.url,
        fields=form.fields,
        expires_at=now + UPLOAD_LIFETIME,
    )
