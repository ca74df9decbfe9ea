"""The whole application over doubles in memory."""

import json
from collections.abc import Mapping
from functools import cached_property

from tandem.aws.wiring import Wiring
from tandem.clock import Clock
from tandem.processing.catalogue import Catalogue
from tandem.settings import Settings
from tandem.testing.blobs import MemoryBlobStore
from tandem.testing.callbacks import MemoryCallbackStore, MemorySender
from tandem.testing.doubles import (
    FakeClock,
    MemoryEffectStore,
    MemoryQuotaStore,
    MemoryResultCache,
    MemorySecretStore,
)
from tandem.testing.queue import MemoryQueue
from tandem.testing.reports import MemoryReportStore
from tandem.testing.sinks import MemoryPoster, MemorySink, MemorySinkStore, MemoryTopic
from tandem.testing.store import MemoryTaskStore

CALLBACK_KEY = "callback-key"
"""The name of the secret that callbacks are signed with."""

REPORT_KEY = "report-key"
"""The name of the secret that reports to a webhook are signed with."""


PROCESSOR_SETTINGS = "processor-settings"
"""The name of the secret with the settings of processors."""


class MemoryWiring(Wiring):
    """As `Wiring`, with every port in memory.

    Example:
        wiring = MemoryWiring()
        app = create_app(wiring)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        catalogue: Catalogue | None = None,
        processor_settings: Mapping[str, str] | None = None,
    ) -> None:
        """Wire the application.

        Args:
            settings: those of a function.
            clock: what tells the time.
            catalogue: the processors.
            processor_settings: what `ctx.settings` is made of, by names in capitals.
        """
        super().__init__(settings or Settings(callback_secret=CALLBACK_KEY))
        self.settings = self.settings.model_copy(
            update={"processor_settings_secret": PROCESSOR_SETTINGS}
        )
        self._processor_settings = dict(processor_settings or {})
        self.clock = clock or FakeClock()
        if catalogue is not None:
            self.catalogue = catalogue

    @cached_property
    def store(self) -> MemoryTaskStore:
        """The tasks."""
        return MemoryTaskStore()

    @cached_property
    def effect_store(self) -> MemoryEffectStore:
        """The outside effects of those tasks."""
        return MemoryEffectStore(self.store)

    @cached_property
    def report_store(self) -> MemoryReportStore:
        """The reports over those tasks."""
        return MemoryReportStore(self.store)

    @cached_property
    def sink_store(self) -> MemorySinkStore:
        """How far the sinks are."""
        return MemorySinkStore()

    @cached_property
    def cloudwatch_sink(self) -> MemorySink:
        """What keeps windows instead of logging them."""
        return MemorySink("cloudwatch")

    @cached_property
    def report_topic(self) -> MemoryTopic:
        """The topic of reports."""
        return MemoryTopic()

    @cached_property
    def poster(self) -> MemoryPoster:
        """The operator's URLs."""
        return MemoryPoster()

    @cached_property
    def blobs(self) -> MemoryBlobStore:
        """The documents and files."""
        return MemoryBlobStore(self.clock)

    @cached_property
    def queue(self) -> MemoryQueue:
        """The queue. The worker's inbox is the same."""
        return MemoryQueue(self.clock, max_receives=self.settings.max_receive_count)

    @cached_property
    def quota_store(self) -> MemoryQuotaStore:
        """The quotas."""
        return MemoryQuotaStore()

    @cached_property
    def result_cache(self) -> MemoryResultCache:
        """The results."""
        return MemoryResultCache()

    @cached_property
    def dead_letter_box(self) -> MemoryQueue:
        """The queue."""
        return self.queue

    @cached_property
    def inbox(self) -> MemoryQueue:
        """The queue."""
        return self.queue

    @cached_property
    def callback_store(self) -> MemoryCallbackStore:
        """How far the callbacks of those tasks are."""
        return MemoryCallbackStore(self.store)

    @cached_property
    def callback_queue(self) -> MemoryQueue:
        """The queue of callbacks. The inbox of their function is the same."""
        return MemoryQueue(self.clock, max_receives=20)

    @cached_property
    def callback_inbox(self) -> MemoryQueue:
        """The queue of callbacks."""
        return self.callback_queue

    @cached_property
    def callback_dead_letter_box(self) -> MemoryQueue:
        """The queue of callbacks."""
        return self.callback_queue

    @cached_property
    def callback_sender(self) -> MemorySender:
        """The receivers."""
        return MemorySender()

    @cached_property
    def secrets(self) -> MemorySecretStore:
        """The secrets: what callbacks are signed with, and what reports, and settings."""
        return MemorySecretStore(
            **{
                CALLBACK_KEY: "a-secret-of-this-test",
                REPORT_KEY: "another-secret-of-this-test",
                PROCESSOR_SETTINGS: json.dumps(self._processor_settings),
            }
        )
