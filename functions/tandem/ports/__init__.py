"""What the services need from the outside, as Protocols that adapters and doubles implement."""

from tandem.domain.contended import Contended
from tandem.ports.blobs import (
    BlobInfo,
    BlobMissing,
    BlobStore,
    OpenBlob,
    UploadForm,
    task_prefix,
    upload_key,
)
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
from tandem.ports.quotas import MoreThanBurst, QuotaStore
from tandem.ports.reports import ReportStore
from tandem.ports.results import CachedResult, ResultCache
from tandem.ports.secrets import SecretsError, SecretStore
from tandem.ports.sinks import (
    Poster,
    Reply,
    ReportSink,
    SinkFailed,
    SinkStore,
    Topic,
    WindowRefused,
)
from tandem.ports.tasks import (
    AlreadyRetried,
    ChangeRefused,
    Follows,
    KeyUsed,
    MadeBefore,
    Once,
    TaskFilter,
    TaskPage,
    TaskStore,
)

__all__ = [
    "MAX_DELAY",
    "AddressForbidden",
    "AlreadyRetried",
    "Answered",
    "BlobInfo",
    "BlobMissing",
    "BlobStore",
    "CachedResult",
    "CallbackSender",
    "CallbackStore",
    "ChangeRefused",
    "Contended",
    "DeadLetter",
    "DeadLetterBox",
    "Delivery",
    "Envelope",
    "Follows",
    "Inbox",
    "KeyUsed",
    "MadeBefore",
    "MoreThanBurst",
    "Once",
    "OpenBlob",
    "Poster",
    "QueueDepth",
    "QuotaStore",
    "Reply",
    "ReportSink",
    "ReportStore",
    "ResultCache",
    "SecretStore",
    "SecretsError",
    "SinkFailed",
    "SinkStore",
    "TaskFilter",
    "TaskPage",
    "TaskQueue",
    "TaskStore",
    "Topic",
    "Unreachable",
    "UploadForm",
    "WindowRefused",
    "task_prefix",
    "upload_key",
]
