"""Uploads as the API takes and answers them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from tandem.domain.filename import FILENAME_CHARACTERS, check_filename
from tandem.limits import UPLOAD_RETENTION
from tandem.ports import BlobInfo
from tandem.processing import WholeNumber

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
        examples=["summarize-table"],
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
