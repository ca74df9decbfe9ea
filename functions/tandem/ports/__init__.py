"""What the services need from the outside, as Protocols that adapters and doubles implement."""

from tandem.ports.blobs import BlobInfo, BlobMissing, BlobStore, UploadForm, upload_key
from tandem.ports.callbacks import (
    AddressForbidden,
    Answered,
    CallbackSender,
    CallbackStore,
    Unreachable,
)
from tandem.ports.queues import (
    MAX_DELAY,
    DeadLetter,
    DeadLetterBox,
    Delivery,
    Envelope,
    Inbox,
    QueueDepth,
    TaskQueue,
)
from tandem.ports.quotas import QuotaStore
from tandem.ports.reports import ReportStore
from tandem.ports.results import CachedResult, ResultCache
from tandem.ports.secrets import SecretsError, SecretStore
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
    "AddressForbidden",
    "Answered",
    "BlobInfo",
    "BlobMissing",
    "BlobStore",
    "CachedResult",
    "CallbackSender",
    "CallbackStore",
    "ChangeRefused",
    "DeadLetter",
    "DeadLetterBox",
    "Delivery",
    "Envelope",
    "Inbox",
    "KeyUsed",
    "MadeBefore",
    "Once",
    "QueueDepth",
    "QuotaStore",
    "ReportStore",
    "ResultCache",
    "SecretStore",
    "SecretsError",
    "TaskExists",
    "TaskFilter",
    "TaskPage",
    "TaskQueue",
    "TaskStore",
    "Unreachable",
    "UploadForm",
    "upload_key",
]
