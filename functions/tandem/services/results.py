"""Answering the same input again without a run, for processors that say they are pure."""

import hashlib
import json
from datetime import timedelta

from pydantic import BaseModel

from tandem.domain.clock import Clock
from tandem.domain.ids import TenantId, UploadId, parse_uuid
from tandem.domain.task import State, Task
from tandem.ports import BlobMissing, BlobStore, CachedResult, ResultCache, upload_key
from tandem.processing.catalogue import Catalogue
from tandem.processing.processor import AnyProcessor
from tandem.processing.upload import Upload, uploads_in


class Results:
    """Finds and keeps results. A key holds the tenant: none is ever shared between tenants."""

    def __init__(
        self, cache: ResultCache, blobs: BlobStore, clock: Clock, catalogue: Catalogue
    ) -> None:
        self._cache = cache
        self._blobs = blobs
        self._clock = clock
        self._catalogue = catalogue

    def key_of(self, tenant: TenantId, processor: AnyProcessor, data: BaseModel) -> str | None:
        """Return the key of an input; None when its result is not to be kept.

        Two inputs are the same when their values are, whatever the order of their members, and
        when the uploads that they name have the same content.
        """
        if not processor.cache_seconds:
            return None
        document = json.dumps(data.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        for upload in uploads_in(data):
            content = self._content_of(tenant, upload)
            if content is None:
                return None
            document = document.replace(json.dumps(str(upload)), content)
        parts = (tenant, processor.name, str(processor.version), document)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def find(self, key: str | None) -> CachedResult | None:
        """Return the result that is kept under a key."""
        return self._cache.get(key, self._clock.now()) if key else None

    def keep(self, task: Task) -> None:
        """Keep the output of a task that succeeded, when its processor is pure."""
        processor = self._catalogue.get(task.processor)
        if task.state is not State.SUCCEEDED or task.cache_key is None or processor is None:
            return
        if task.output is None or task.finished_at is None:
            return
        period = timedelta(seconds=processor.cache_seconds)
        result = CachedResult(
            task_id=task.task_id,
            output=task.output,
            file=task.file,
            made_at=task.finished_at,
            expires_at=(task.finished_at + period).replace(microsecond=0),
        )
        self._cache.put(task.cache_key, result)

    def _content_of(self, tenant: TenantId, upload: Upload) -> str | None:
        """Return what stands for an upload's content; None when there is none.

        S3's ETag of a file that one POST stored is the MD5 of its content; with its size, and
        only among one tenant's own files, that tells contents apart.
        """
        known = parse_uuid(upload)
        if known is None:
            return None
        try:
            info = self._blobs.info(upload_key(tenant, UploadId(known)))
        except BlobMissing:
            return None
        return f"{info.etag}:{info.size_bytes}:{info.filename}"
