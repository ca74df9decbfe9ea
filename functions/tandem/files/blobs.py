"""The port of the blob store: documents and files."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from tandem.ids import TaskId, TenantId, UploadId


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

    @property
    def version(self) -> str:
        """What tells its content from that of other files of its tenant, or of its key.

        S3's ETag of a file that one POST stored is the MD5 of its content.
        """
        return f"{self.etag}:{self.size_bytes}:{self.filename}"


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that a client posts a file with, straight to the blob store."""

    url: str
    fields: dict[str, str]
    session_ends_at: datetime | None = None
    """When the session ends that signed it, and the form with it. None where that is not known."""


@dataclass(frozen=True, slots=True)
class OpenBlob:
    """A document that is read as it arrives."""

    info: BlobInfo
    """Of the very version that the stream reads, whatever replaces it meanwhile."""
    stream: BinaryIO


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

    def open(self, key: str) -> AbstractContextManager[OpenBlob]:
        """Return a stream over a document, with what is known of what it reads.

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
        """Delete a document. One that is not there is no error."""
        ...

    def delete_under(self, prefix: str, *, limit: int) -> bool:
        """Delete up to `limit` documents whose keys start so. Return whether none is left."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Store a document under another key as well, without reading it.

        Raises:
            BlobMissing: there is none under the source's key.
        """
        ...

    def upload_form(
        self, key: str, *, filename: str, content_type: str, max_bytes: int, lifetime: timedelta
    ) -> UploadForm:
        """Return a form that stores one document of that type and at most that size."""
        ...

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        """Return a URL that reads the document without any other credential."""
        ...

    def origin(self) -> str:
        """Return the scheme and host of all forms and URLs, as a page's policy names them."""
        ...


def upload_key(tenant: TenantId, upload_id: UploadId) -> str:
    """Return where an upload lies: under its tenant, so that no other can name it."""
    return f"uploads/{tenant}/{upload_id}"


def task_prefix(task_id: TaskId) -> str:
    """Return what the keys of all documents and files of a task start with."""
    return f"tasks/{task_id}/"
