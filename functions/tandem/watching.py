"""The services that only look, each made on first use."""

from functools import cached_property

from tandem.aws_ports import AwsPorts
from tandem.processing.pool import BoundedPool
from tandem.services.health import Health
from tandem.services.levels import LevelReader
from tandem.services.report import Reports
from tandem.settings import Settings
from tandem.telemetry import logger


class Watching(AwsPorts):
    """What is there, what is in flight, and what was done."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.pool = BoundedPool(settings.thread_pool_size)

    @cached_property
    def health(self) -> Health:
        """Looks whether the parts can be reached."""
        return Health(self.store, self.queue, self.blobs, pool=self.pool, logger=logger)

    @cached_property
    def levels(self) -> LevelReader:
        """Reads what is in flight."""
        return LevelReader(self.store, self.queue, self.dead_letter_box, self.clock, pool=self.pool)

    @cached_property
    def reports(self) -> Reports:
        """Closes and reads report windows."""
        return Reports(self.report_store, self.clock, pool=self.pool)
