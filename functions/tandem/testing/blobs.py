"""The blob store in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import md5
from io import BytesIO
from pathlib import Path

from tandem.clock import Clock
from tandem.files.blobs import BlobInfo, BlobMissing, OpenBlob, UploadForm


class MemoryBlobStore:
    """Keeps documents in a dictionary."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._blobs: dict[str, tuple[BlobInfo, bytes]] = {}

    def put(self, key: str, content: bytes | Path, *, content_type: str, filename: str = "") -> int:
        """Store a document, from memory or from a file, and return its size in bytes."""
        data = content.read_bytes() if isinstance(content, Path) else content
        info = BlobInfo(
            key=key,
            size_bytes=len(data),
            content_type=content_type,
            filename=filename,
            etag=md5(data, usedforsecurity=False).hexdigest(),
            stored_at=self._clock.now(),
        )
        self._blobs[key] = (info, data)
        return len(data)

    def get(self, key: str) -> bytes:
        """Return a document, or raise BlobMissing."""
        return self._found(key)[1]

    @contextmanager
    def open(self, key: str) -> Iterator[OpenBlob]:
        """Return a stream over a document, with what is known of it, or raise BlobMissing."""
        info, data = self._found(key)
        yield OpenBlob(info, BytesIO(data))

    def info(self, key: str) -> BlobInfo:
        """Return what is known of a document, or raise BlobMissing."""
        return self._found(key)[0]

    def delete(self, key: str) -> None:
        """Delete a document. One that is not there is no error."""
        self._blobs.pop(key, None)

    def delete_under(self, prefix: str, *, limit: int) -> bool:
        """Delete up to `limit` documents whose keys start so. Return whether none is left."""
        keys = self.keys(prefix)
        for key in keys[:limit]:
            self.delete(key)
        return len(keys) <= limit

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that start so, for a test to look at."""
        return sorted(key for key in list(self._blobs) if key.startswith(prefix))

    def copy(self, source: str, target: str) -> None:
        """Store a document under another key as well, or raise BlobMissing."""
        info, data = self._found(source)
        copied = replace(info, key=target, stored_at=self._clock.now())
        self._blobs[target] = (copied, data)

    def upload_form(
        self, key: str, *, filename: str, content_type: str, max_bytes: int, lifetime: timedelta
    ) -> UploadForm:
        """Return a form that nothing serves."""
        del max_bytes, lifetime
        fields = {"key": key, "Content-Type": content_type, "x-amz-meta-filename": filename}
        return UploadForm("memory:upload", fields)

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        """Return a URL that nothing serves."""
        del lifetime, filename
        return f"memory:{key}"

    def origin(self) -> str:
        """Return an origin that nothing serves."""
        return "memory:"

    def _found(self, key: str) -> tuple[BlobInfo, bytes]:
        try:
            return self._blobs[key]
        except KeyError:
            raise BlobMissing from None
