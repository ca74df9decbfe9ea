"""The services that only look, each made on first use."""

from functools import cached_property
from typing import TYPE_CHECKING

from tandem.aws_ports import AwsPorts
from tandem.telemetry import logger

if TYPE_CHECKING:
    from tandem.processing.pool import BoundedPool
    from tandem.services.health import Health
    from tandem.services.levels import LevelReader
    from tandem.services.report import Reports


class Watching(AwsPorts):
    """What is there, what is in flight, and what was done."""

    @cached_property
    def pool(self) -> "BoundedPool":
        """The threads of this environment."""
        from tandem.processing.pool import BoundedPool

        return BoundedPool(self.settings.thread_pool_size)

    @cached_property
    def health(self) -> "Health":
        """Looks whether the parts can be reached."""
        from tandem.services.health import Health

        return Health(self.store, self.queue, self.blobs, pool=self.pool, logger=logger)

    @cached_property
    def levels(self) -> "LevelReader":
        """Reads what is in flight."""
        from tandem.services.levels import LevelReader

        return LevelReader(
            self.store,
            self.queue,
            self.dead_letter_box,
            self.clock,
            pool=self.pool,
            logger=logger,
        )

    @cached_property
    def reports(self) -> "Reports":
        """Closes and reads report windows."""
        from tandem.services.report import Reports

        return Reports(self.report_store, self.clock, pool=self.pool)
