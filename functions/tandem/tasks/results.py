"""The result cache: the same input is answered again without a run, for pure processors."""

import hashlib
import json
from collections.abc import Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import BaseModel

from tandem.clock import Clock
from tandem.files.blobs import BlobMissing, BlobStore, upload_key
from tandem.ids import TaskId, TenantId, UploadId, parse_uuid
from tandem.limits import COPIED_BYTES
from tandem.processing.catalogue import Catalogue
from tandem.processing.context import Logger
from tandem.processing.processor import AnyProcessor
from tandem.processing.upload import Upload, uploads_in
from tandem.tasks.payloads import Payloads
from tandem.tasks.store import TaskStore
from tandem.tasks.task import Payload, State, StoredPayload, Task
from tandem.trace import described


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedResult:
    """What a run gave."""

    task_id: TaskId
    output: Payload
    file: StoredPayload | None
    made_at: datetime
    expires_at: datetime


class ResultCache(Protocol):
    """Keeps results by their keys. May forget any at any time."""

    def get(self, key: str, now: datetime) -> CachedResult | None:
        """Return what is kept under a key and has not expired."""
        ...

    def put(self, key: str, result: CachedResult) -> None:
        """Keep a result, in place of an older one."""
        ...

    def forget(self, key: str, task_id: TaskId) -> None:
        """Remove what is kept under a key when it is that task's result."""
        ...


type UploadsRead = Mapping[UploadId, AbstractSet[str]]
"""Which versions of which uploads an attempt opened: `BlobInfo.version` of each."""


class Results:
    """Finds and keeps results. A key holds the tenant: none is ever shared between tenants.

    What cannot be looked up is not there: a cache that fails refuses no task.
    """

    def __init__(
        self,
        cache: ResultCache,
        store: TaskStore,
        blobs: BlobStore,
        clock: Clock,
        *,
        catalogue: Catalogue,
        logger: Logger,
    ) -> None:
        self._cache = cache
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._catalogue = catalogue
        self._logger = logger

    def key_of(
        self,
        tenant: TenantId,
        processor: AnyProcessor,
        data: BaseModel,
        sizes: MutableMapping[UploadId, int] | None = None,
    ) -> str | None:
        """Return the key of an input. None when its result is not to be kept.

        Two inputs are the same when their values are, whatever the order of their members, and
        when the uploads that they name have the same content.

        Args:
            tenant: whose input it is.
            processor: whose input it is.
            data: the input.
            sizes: is given the bytes of each upload that was looked at for this.
        """
        if not processor.cache_seconds:
            return None
        try:
            return self._key(tenant, processor, data, {}, {} if sizes is None else sizes)
        except Exception as error:  # noqa: BLE001 - as the class says
            self._logger.error("no key of a result", **described(error))
            return None

    def _key(
        self,
        tenant: TenantId,
        processor: AnyProcessor,
        data: BaseModel,
        read: UploadsRead,
        sizes: MutableMapping[UploadId, int],
    ) -> str | None:
        # Pydantic's warnings quote the input, and would be logged.
        values = data.model_dump(mode="json", warnings="none")
        document = json.dumps(values, sort_keys=True, separators=(",", ":"))
        for upload in uploads_in(data):
            content = self._content_of(tenant, upload, read, sizes)
            if content is None:
                return None
            document = document.replace(json.dumps(str(upload)), content)
        parts = (tenant, processor.name, str(processor.version), document)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def find(self, key: str | None) -> CachedResult | None:
        """Return the result that is kept under a key, of a task that is there, and not too large.

        A large one would be copied for as long as it takes to make it again.
        """
        try:
            return self._find(key) if key else None
        except Exception as error:  # noqa: BLE001 - as the class says
            self._logger.error("kept result not looked up", **described(error))
            return None

    def _find(self, key: str) -> CachedResult | None:
        result = self._cache.get(key, self._clock.now())
        if result is None or _stored_bytes(result) > COPIED_BYTES:
            return None
        return result if self._store.get(result.task_id) is not None else None

    def keep(self, task: Task, read: UploadsRead) -> None:
        """Keep the output of a task that succeeded, when its processor is pure.

        An upload may be replaced after the submission: the output is kept when the attempt read
        what the task's key says.
        """
        processor = self._catalogue.get(task.processor)
        if task.state is not State.SUCCEEDED or task.cache_key is None or processor is None:
            return
        if task.output is None or task.finished_at is None:
            return
        if read and self._key_of_read(task, processor, read) != task.cache_key:
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

    def _key_of_read(self, task: Task, processor: AnyProcessor, read: UploadsRead) -> str | None:
        """Return the key of the input with the uploads as they were read. None when it has none.

        It has none when an upload was read that the input does not declare, or was seen to change.
        """
        document = Payloads(self._blobs).read(task.input)
        data: BaseModel = processor.input.model_validate_json(document)
        declared = {parse_uuid(upload) for upload in uploads_in(data)}
        if not declared.issuperset(read) or any(len(versions) > 1 for versions in read.values()):
            return None
        return self._key(task.tenant, processor, data, read, {})

    def _content_of(
        self,
        tenant: TenantId,
        upload: Upload,
        read: UploadsRead,
        sizes: MutableMapping[UploadId, int],
    ) -> str | None:
        """Return what stands for an upload's content, as it was read or is. None without one."""
        known = parse_uuid(upload)
        if known is None:
            return None
        for version in read.get(UploadId(known), ()):
            return version
        try:
            info = self._blobs.info(upload_key(tenant, UploadId(known)))
        except BlobMissing:
            return None
        sizes[UploadId(known)] = info.size_bytes
        return info.version


def _stored_bytes(result: CachedResult) -> int:
    """Return how much of a result lies in the blob store."""
    parts = (result.output, result.file)
    return sum(part.size_bytes for part in parts if isinstance(part, StoredPayload))
