"""The services, each made on first use."""

from datetime import timedelta
from functools import cached_property

from tandem.aws_ports import AwsPorts
from tandem.processing.catalogue import Catalogue, installed
from tandem.processing.pool import BoundedPool
from tandem.services.dead_letters import DeadLetters
from tandem.services.deliver import Deliveries
from tandem.services.dispatch import Dispatch
from tandem.services.execute import Execution
from tandem.services.health import Health
from tandem.services.online import Online
from tandem.services.payloads import Payloads
from tandem.services.quota import Quota
from tandem.services.report import Reports
from tandem.services.results import Results
from tandem.services.retention import Retention
from tandem.services.settle import Settlement
from tandem.services.submit import Submissions
from tandem.services.sweep import Sweep
from tandem.services.tasks import Tasks
from tandem.settings import Settings
from tandem.telemetry import logger


class Wiring(AwsPorts):
    """What a function's handler calls. A function pays only for the parts that it touches."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.pool = BoundedPool(settings.thread_pool_size)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The processors there are."""
        return installed()

    @cached_property
    def payloads(self) -> Payloads:
        """Inputs and outputs."""
        return Payloads(self.blobs)

    @cached_property
    def dispatch(self) -> Dispatch:
        """Sends tasks to the worker."""
        return Dispatch(self.queue, self.clock, logger)

    @cached_property
    def submissions(self) -> Submissions:
        """Accepts tasks."""
        return Submissions(
            self.store,
            self.dispatch,
            self.payloads,
            self.clock,
            pool=self.pool,
            retention=self.retention,
        )

    @cached_property
    def retention(self) -> Retention:
        """How long finished tasks are kept."""
        return Retention(timedelta(days=self.settings.task_retention_days))

    @cached_property
    def tasks(self) -> Tasks:
        """Reads, cancels and repeats tasks."""
        return Tasks(
            self.store,
            self.submissions,
            self.payloads,
            self.clock,
            catalogue=self.catalogue,
            retention=self.retention,
        )

    @cached_property
    def sweep(self) -> Sweep:
        """Moves overdue tasks on."""
        return Sweep(
            self.store,
            self.dispatch,
            self.inbox,
            self.clock,
            pool=self.pool,
            retention=self.retention,
        )

    @cached_property
    def execution(self) -> Execution:
        """Runs attempts."""
        return Execution(
            self.store,
            self.blobs,
            self.clock,
            catalogue=self.catalogue,
            pool=self.pool,
            logger=logger,
        )

    @cached_property
    def results(self) -> Results:
        """Answers the same input again."""
        return Results(self.result_cache, self.blobs, self.clock, self.catalogue)

    @cached_property
    def settlement(self) -> Settlement:
        """Records how attempts ended."""
        return Settlement(
            self.store,
            self.payloads,
            self.clock,
            self.retention,
            results=self.results,
            logger=logger,
        )

    @cached_property
    def online(self) -> Online:
        """Runs tasks whose callers wait."""
        return Online(
            self.submissions,
            self.dispatch,
            self.execution,
            self.settlement,
            pool=self.pool,
            clock=self.clock,
        )

    @cached_property
    def health(self) -> Health:
        """Looks whether the parts can be reached."""
        return Health(self.store, self.queue, self.blobs, pool=self.pool, logger=logger)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Handles the worker's messages."""
        return Deliveries(self.execution, self.settlement, self.inbox, self.clock)

    @cached_property
    def reports(self) -> Reports:
        """Closes and reads report windows."""
        return Reports(self.report_store, self.clock)

    @cached_property
    def quota(self) -> Quota:
        """How much a tenant may submit."""
        return Quota(
            self.quota_store,
            self.clock,
            per_second=self.settings.tenant_tasks_per_second,
            burst=self.settings.tenant_tasks_burst,
        )

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Shows and redrives dead letters."""
        return DeadLetters(self.dead_letter_box, self.store, self.tasks, self.dispatch, self.clock)

    def close(self) -> None:
        """Wait for the threads, and end them."""
        self.pool.close()
