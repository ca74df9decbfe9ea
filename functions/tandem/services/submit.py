"""Recording tasks, and sending the offline ones to the worker."""

from datetime import datetime, timedelta

from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId, TenantId, new_task_id
from tandem.domain.task import Mode, State, Task
from tandem.limits import DUE_MARGIN
from tandem.ports import TaskQueue, TaskStore
from tandem.processing.processor import AnyProcessor
from tandem.services.payloads import Payloads


class Submissions:
    """Accepts tasks."""

    def __init__(
        self,
        store: TaskStore,
        queue: TaskQueue,
        payloads: Payloads,
        clock: Clock,
        *,
        retention: timedelta,
    ) -> None:
        self._store = store
        self._queue = queue
        self._payloads = payloads
        self._clock = clock
        self._retention = retention

    def offline(
        self, tenant: TenantId, processor: AnyProcessor, document: bytes, *, traceparent: str
    ) -> Task:
        """Record a task, send it to the worker, and return it.

        It is recorded first: a crash before it is sent leaves a task that is overdue one day, and
        so is found; a message without a task would be lost.
        """
        now = self._clock.now()
        task = self._new(now, tenant, processor, document, Mode.OFFLINE, due_at=now + DUE_MARGIN)
        self._store.put(task)
        self._queue.send(task.task_id, tenant, traceparent=traceparent)
        return task

    def online(
        self,
        tenant: TenantId,
        processor: AnyProcessor,
        document: bytes,
        *,
        lease_until: datetime,
    ) -> Task:
        """Record a task whose first attempt the caller starts now, and return it."""
        now = self._clock.now()
        task = self._new(
            now,
            tenant,
            processor,
            document,
            Mode.ONLINE,
            due_at=lease_until,
            lease_until=lease_until,
        )
        self._store.put(task)
        return task

    def resend(self, task: Task, *, traceparent: str) -> None:
        """Send a task that is recorded and queued to the worker."""
        self._queue.send(task.task_id, task.tenant, traceparent=traceparent)

    def _new(
        self,
        now: datetime,
        tenant: TenantId,
        processor: AnyProcessor,
        document: bytes,
        mode: Mode,
        *,
        due_at: datetime,
        lease_until: datetime | None = None,
    ) -> Task:
        task_id: TaskId = new_task_id(now)
        running = lease_until is not None
        started_at = now if running else None
        return Task(
            task_id=task_id,
            tenant=tenant,
            processor=processor.name,
            mode=mode,
            state=State.RUNNING if running else State.QUEUED,
            input=self._payloads.keep_input(task_id, document),
            max_attempts=processor.retry.attempts,
            created_at=now,
            expires_at=now.replace(microsecond=0) + self._retention,
            attempts=1 if running else 0,
            due_at=due_at,
            lease_until=lease_until,
            started_at=started_at,
            attempt_started_at=started_at,
        )
