"""What the services need from the outside, as Protocols that adapters and doubles implement."""

from tandem.ports.blobs import BlobInfo, BlobMissing, BlobStore, UploadForm, upload_key
from tandem.ports.queues import MAX_DELAY, DeadLetter, DeadLetterBox, Envelope, Inbox, TaskQueue
from tandem.ports.quotas import QuotaStore
from tandem.ports.reports import ReportStore
from tandem.ports.results import CachedResult, ResultCache
from tandem.ports.tasks import (
    ChangeRefused,
    KeyUsed,
    MadeBefore,
    Once,
    TaskExists,
    TaskFilter,
    TaskPage,
    TaskStore,
)

__all__ = [
    "MAX_DELAY",
    "BlobInfo",
    "BlobMissing",
    "BlobStore",
    "CachedResult",
    "ChangeRefused",
    "DeadLetter",
    "DeadLetterBox",
    "Envelope",
    "Inbox",
    "KeyUsed",
    "MadeBefore",
    "Once",
    "QuotaStore",
    "ReportStore",
    "ResultCache",
    "TaskExists",
    "TaskFilter",
    "TaskPage",
    "TaskQueue",
    "TaskStore",
    "UploadForm",
    "upload_key",
]
