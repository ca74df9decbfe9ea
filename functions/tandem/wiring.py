"""The services, each imported and made on first use."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from tandem.limits import SETTLE_SECONDS
from tandem.notifying import Notifying
from tandem.telemetry import PROCESSORS, logger

if TYPE_CHECKING:
    from tandem.domain.task import Task
    from tandem.ports import TaskStore
    from tandem.processing.catalogue import Catalogue
    from tandem.processing.surroundings import Surroundings
    from tandem.services.capacity import Capacity
    from tandem.services.dead_letters import DeadLetters
    from tandem.services.deletions import Deletions
    from tandem.services.deliver import Deliveries
    from tandem.services.dispatch import Dispatch
    from tandem.services.effects import Effects
    from tandem.services.execute import Execution
    from tandem.services.online import Online
    from tandem.services.payloads import Payloads
    from tandem.services.purge import Purge
    from tandem.services.quota import Quota
    from tandem.services.recovery import Recovery
    from tandem.services.results import Results
    from tandem.services.retention import Retention
    from tandem.services.settle import Settlement
    from tandem.services.submit import Submissions
    from tandem.services.sweep import Sweep
    from tandem.services.tasks import Tasks


class Wiring(Notifying):
    """What a function's handler calls. A function pays only for the parts that it touches."""

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The processors there are."""
        from tandem.processing.catalogue import installed

        return installed()

    @cached_property
    def payloads(self) -> "Payloads":
        """Inputs and outputs."""
        from tandem.services.payloads import Payloads

        return Payloads(self.blobs)

    @cached_property
    def task_store(self) -> "TaskStore":
        """Where tasks are kept, and by whose writes they end."""
        from tandem.services.announcing_store import AnnouncingStore

        return AnnouncingStore(self.store, self.callbacks)

    @cached_property
    def dispatch(self) -> "Dispatch":
        """Sends tasks to the worker."""
        from tandem.services.dispatch import Dispatch

        return Dispatch(self.queue, self.clock, logger)

    @cached_property
    def submissions(self) -> "Submissions":
        """Accepts tasks."""
        from tandem.services.submit import Submissions

        return Submissions(
            self.task_store,
            self.dispatch,
            self.payloads,
            self.clock,
            pool=self.pool,
            retention=self.retention,
        )

    @cached_property
    def retention(self) -> "Retention":
        """How long finished tasks are kept."""
        from tandem.services.retention import Retention

        return Retention(timedelta(days=self.settings.task_retention_days))

    @cached_property
    def tasks(self) -> "Tasks":
        """Reads, cancels and repeats tasks."""
        from tandem.services.tasks import Tasks

        return Tasks(
            self.task_store,
            self.submissions,
            self.payloads,
            self.clock,
            catalogue=self.catalogue,
            retention=self.retention,
        )

    @cached_property
    def deletions(self) -> "Deletions":
        """Deletes tasks."""
        from tandem.services.deletions import Deletions

        return Deletions(
            self.store, self.result_cache, lambda: self.blobs, self.clock, logger=logger
        )

    @cached_property
    def purge(self) -> "Purge":
        """Purges what is left of deleted tasks."""
        from tandem.services.purge import Purge

        return Purge(
            self.store,
            self.deletions,
            self.report_store,
            self.clock,
            pool=self.pool,
            logger=logger,
        )

    @cached_property
    def sweep(self) -> "Sweep":
        """Moves overdue tasks on."""
        from tandem.services.sweep import Sweep

        return Sweep(
            self.task_store,
            self.dispatch,
            self.recovery,
            self.clock,
            pool=self.pool,
            retention=self.retention,
            logger=logger,
        )

    @cached_property
    def recovery(self) -> "Recovery":
        """Moves on tasks whose attempts died."""
        from tandem.services.recovery import Recovery

        return Recovery(self.task_store, self.clock, self.retention)

    @cached_property
    def execution(self) -> "Execution":
        """Runs attempts."""
        from tandem.services.execute import Execution

        return Execution(
            self.task_store,
            self.blobs,
            self.clock,
            catalogue=self.catalogue,
            pool=self.pool,
            effects=self.effects,
            capacity=lambda: self.capacity,
            surroundings=self.surroundings,
            logger=logger,
        )

    def effects(self, task: "Task") -> "Effects":
        """Return what records the outside effects of the attempt that holds a task."""
        from tandem.services.effects import Effects

        return Effects(self.effect_store, self.clock, self.retention, task)

    @cached_property
    def capacity(self) -> "Capacity":
        """How much of uploads tasks may read."""
        from tandem.processing.resources import Resources
        from tandem.services.capacity import Capacity

        has = self.settings
        return Capacity(
            api=Resources(
                memory_mib=has.api_memory_mb,
                disk_mib=has.api_storage_mb,
                seconds=has.online_budget_seconds,
            ),
            worker=Resources(
                memory_mib=has.worker_memory_mb,
                disk_mib=has.worker_storage_mb,
                seconds=has.worker_timeout_seconds - SETTLE_SECONDS,
            ),
        )

    @cached_property
    def surroundings(self) -> "Surroundings":
        """Puts back what processors changed of the process."""
        from tandem.processing.surroundings import Surroundings

        return Surroundings(logger.name, PROCESSORS)

    @cached_property
    def results(self) -> "Results":
        """Answers the same input again."""
        from tandem.services.results import Results

        return Results(
            self.result_cache,
            self.store,
            self.blobs,
            self.clock,
            catalogue=self.catalogue,
            logger=logger,
        )

    @cached_property
    def settlement(self) -> "Settlement":
        """Records how attempts ended."""
        from tandem.services.settle import Settlement

        return Settlement(
            self.task_store,
            self.payloads,
            self.clock,
            self.retention,
            results=self.results,
            logger=logger,
        )

    @cached_property
    def online(self) -> "Online":
        """Runs tasks whose callers wait."""
        from tandem.services.online import Online

        return Online(
            self.submissions,
            self.dispatch,
            self.execution,
            self.settlement,
            pool=self.pool,
            clock=self.clock,
            named=lambda task: logger.thread_safe_append_keys(task_id=task.task_id),
            logger=logger,
        )

    @cached_property
    def deliveries(self) -> "Deliveries":
        """Handles the worker's messages."""
        from tandem.services.deliver import Deliveries

        return Deliveries(
            self.execution,
            self.settlement,
            self.recovery,
            find=self.store.get,
            inbox=self.inbox,
            dispatch=self.dispatch,
            max_receives=self.settings.max_receive_count,
            clock=self.clock,
            logger=logger,
        )

    @cached_property
    def quota(self) -> "Quota":
        """How much a tenant may submit."""
        from tandem.services.quota import Quota

        return Quota(
            self.quota_store,
            self.clock,
            per_second=self.settings.tenant_tasks_per_second,
            burst=self.settings.tenant_tasks_burst,
            logger=logger,
        )

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """Shows and redrives dead letters."""
        from tandem.services.dead_letters import DeadLetters

        return DeadLetters(
            self.store, self.dead_letter_box, self.tasks, self.dispatch, logger=logger
        )

    def close(self) -> None:
        """Wait for the threads, and end them."""
        self.pool.close()
