"""In-memory doubles of the ports, for tests of Tandem and of processors written with it.

They pass the same conformance suite as the adapters on AWS.
"""

from tandem.testing.blobs import MemoryBlobStore
from tandem.testing.callbacks import MemoryCallbackStore, MemorySender
from tandem.testing.context import FakeContext
from tandem.testing.doubles import (
    FakeClock,
    MemoryEffectStore,
    MemoryQuotaStore,
    MemoryResultCache,
    MemorySecretStore,
)
from tandem.testing.queue import MemoryQueue, Message
from tandem.testing.reports import MemoryReportStore
from tandem.testing.sinks import MemoryPoster, MemorySink, MemorySinkStore, MemoryTopic
from tandem.testing.store import MemoryTaskStore
from tandem.testing.wiring import MemoryWiring

__all__ = [
    "FakeClock",
    "FakeContext",
    "MemoryBlobStore",
    "MemoryCallbackStore",
    "MemoryEffectStore",
    "MemoryPoster",
    "MemoryQueue",
    "MemoryQuotaStore",
    "MemoryReportStore",
    "MemoryResultCache",
    "MemorySecretStore",
    "MemorySender",
    "MemorySink",
    "MemorySinkStore",
    "MemoryTaskStore",
    "MemoryTopic",
    "MemoryWiring",
    "Message",
]
