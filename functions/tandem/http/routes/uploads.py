"""Uploads of files for processors to read."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, Field

from tandem.contended import Contended
from tandem.files.blobs import BlobInfo, upload_key
from tandem.files.filename import FILENAME_CHARACTERS, check_filename
from tandem.http.dependencies import Reader, Services, UploadIdPath, Writer, owned_upload
from tandem.http.headers import JSON_SPOKEN
from tandem.http.problems import invalid
from tandem.http.strict_json import StrictJsonRoute
from tandem.http.submission import (
    REPLAYED,
    IdempotencyHeader,
    key_in_flight,
    same_request,
    upload_too_large,
)
from tandem.ids import UploadId, new_upload_id
from tandem.limits import UPLOAD_LIFETIME, UPLOAD_RETENTION
from tandem.processing import WholeNumber
from tandem.tasks.store import KeyUsed

_MEDIA_TYPE_CHARACTERS = 255
"""RFC 6838, section 4.2: a type and a subtype of up to 127 characters each."""


def _check_media_type(text: str) -> str:
    if len(text) > _MEDIA_TYPE_CHARACTERS:
        message = f"a content type must have at most {_MEDIA_TYPE_CHARACTERS} characters"
        raise ValueError(message)
    return text


class UploadRequest(BaseModel):
    """A file that is to be uploaded."""

    filename: Annotated[str, AfterValidator(check_filename)] = Field(
        min_length=1,
        max_length=FILENAME_CHARACTERS,
        pattern=r"^[^\x00-\x1f\x7f/\\]+$",
        examples=["orders.csv"],
    )
    content_type: Annotated[str, AfterValidator(_check_media_type)] = Field(
        pattern=r"^[a-z]+/[A-Za-z0-9][A-Za-z0-9.+-]{0,100}$", examples=["text/csv"]
    )
    size: WholeNumber = Field(ge=1, description="Its exact size in bytes.", examples=[1024])
    processor: str | None = Field(
        None,
        description="Which processor is to read it: a file that it does not take is refused here.",
    )


class UploadTicket(BaseModel):
    """How to upload the file: POST the fields, then the file as `file`, to the URL."""

    upload_id: str = Field(description="What a processor's input names the upload by.")
    url: str
    fields: dict[str, str]
    expires_at: datetime = Field(
        description="Until when the form can be used. S3 answers `ExpiredToken` (400) sooner when "
        "the session that signed it has ended: then ask for another form."
    )


class UploadView(BaseModel):
    """A file that was uploaded."""

    upload_id: str
    filename: str
    content_type: str
    size: int = Field(description="In bytes.")
    uploaded_at: datetime
    expires_at: datetime = Field(description="From when it may be deleted.")

    @staticmethod
    def of(upload_id: str, info: BlobInfo) -> "UploadView":
        """Return the view of an upload."""
        return UploadView(
            upload_id=upload_id.lower(),
            filename=info.filename,
            content_type=info.content_type,
            size=info.size_bytes,
            uploaded_at=info.stored_at,
            expires_at=info.stored_at + UPLOAD_RETENTION,
        )


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
    once: IdempotencyHeader,
    response: Response,
) -> UploadTicket:
    """Answer with a form that uploads one file of that type and at most that size.

    With `processor`, a file that it does not take on this deployment is refused. Without, one that
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
    """Delete a file that was uploaded. A task that still needs it will fail."""
    services.blobs.delete(owned_upload(upload_id, caller, services).key)
