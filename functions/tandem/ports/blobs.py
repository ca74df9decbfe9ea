"""Where documents and files are kept."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from tandem.domain.ids import TenantId, UploadId


class BlobMissing(Exception):
    """There is no such document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """What is known of a document without reading it."""

    key: str
    size_bytes: int
    content_type: str
    filename: str
    etag: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that a client posts a file with, straight to the blob store."""

    url: str
    fields: dict[str, str]


class BlobStore(Protocol):
    """Keeps documents that are too large for the task store."""

    def put(self, key: str, content: bytes | Path, *, content_type: str) -> int:
        """Store a document, from memory or from a file, and return its size in bytes."""
        ...

    def get(self, key: str) -> bytes:
        """Return a document.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Return a stream over a document, read as it arrives.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def info(self, key: str) -> BlobInfo:
        """Return what is known of a document.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete a document; one that is not there is no error."""
        ...

    def upload_form(
        self, key: str, *, filename: str, content_type: str, max_bytes: int, lifetime: timedelta
    ) -> UploadForm:
        """Return a form that stores one document of that type and at most that size."""
        ...

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        """Return a URL that reads the document without any other credential."""
        ...


def upload_key(tenant: TenantId, upload_id: UploadId) -> str:
    """Return where an upload lies: under its tenant, so that no other can name it."""
    return f"uploads/{tenant}/{upload_id}"
