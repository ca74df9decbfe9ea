"""The owner's actions on tasks: read, cancel, do again."""

from datetime import datetime

from tandem.clock import Clock
from tandem.files.blobs import BlobMissing
from tandem.ids import TaskId, TenantId
from tandem.processing.catalogue import Catalogue
from tandem.processing.processor import AnyProcessor
from tandem.tasks.payloads import Payloads
from tandem.tasks.store import (
    ChangeRefused,
    IdempotencyKey,
    TaskFilter,
    TaskPage,
    TaskReader,
    TaskWriter,
)
from tandem.tasks.submit import NewTask, Submissions
from tandem.tasks.task import Retention, State, Task
from tandem.tasks.transitions import Change, cancel_queued, request_cancel


class NoSuchTask(Exception):
    """The tenant has no such task."""


class NotFinished(Exception):
    """The task is not final yet."""


class AlreadyFinished(Exception):
    """The task is final, and never changes."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.state)
        self.task = task


class ProcessorGone(Exception):
    """The processor of the task is not installed any more."""


class InputGone(Exception):
    """The task's input was kept apart, and has expired."""


class Tasks:
    """A tenant's tasks."""

    def __init__(
        self,
        reader: TaskReader,
        writer: TaskWriter,
        submissions: Submissions,
        payloads: Payloads,
        clock: Clock,
        *,
        catalogue: Catalogue,
        retention: Retention,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._submissions = submissions
        self._payloads = payloads
        self._clock = clock
        self._catalogue = catalogue
        self._retention = retention

    def get(self, tenant: TenantId, task_id: TaskId) -> Task:
        """Return a task of the tenant.

        Raises:
            NoSuchTask: there is none, it is another tenant's, has expired or was deleted.
        """
        task = self._reader.get(task_id)
        if task is None or task.tenant != tenant or self._expired(task):
            raise NoSuchTask
        return task

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None
    ) -> TaskPage:
        """Return a page of the tenant's tasks, newest first, without expired ones."""
        page = self._reader.list(tenant, wanted, limit=limit, cursor=cursor)
        return TaskPage([task for task in page.tasks if not self._expired(task)], page.next_cursor)

    def cancel(self, tenant: TenantId, task_id: TaskId) -> Task:
        """Cancel a queued task, or ask a running one to stop, and return it.

        Raises:
            NoSuchTask: as `get`.
            AlreadyFinished: it is final.
        """
        task = self.get(tenant, task_id)
        while not task.state.final:
            try:
                return self._writer.change(task_id, self._cancel(task, self._clock.now()))
            except ChangeRefused as refused:
                if refused.task is None:
                    raise NoSuchTask from None
                task = refused.task
        if task.state is State.CANCELLED:
            return task
        raise AlreadyFinished(task)

    def again(
        self,
        task: Task,
        *,
        traceparent: str,
        once: IdempotencyKey | None = None,
        redriven_by: str | None = None,
    ) -> Task:
        """Submit a finished task's input again, as a new task linked to it, and return that.

        Args:
            task: the task. When it failed, it leaves the list of failed tasks.
            traceparent: the trace that the new task belongs to.
            once: the caller's idempotency key.
            redriven_by: the operator, for whom it must be the first that does a failed task again.

        Raises:
            AlreadyRetried: another task does it again for its owner or an operator.
            NotFinished: it is queued or running.
            ProcessorGone: its processor is not installed.
            InputGone: its input has expired.
            KeyUsed: the key was used before. Nothing was recorded.
        """
        processor = self.check_again(task)
        try:
            document = self._payloads.read(task.input)
        except BlobMissing:
            raise InputGone from None
        return self._submissions.offline(
            NewTask(
                tenant=task.tenant,
                processor=processor,
                document=document,
                traceparent=traceparent,
                once=once,
                retries=task,
                redrive=redriven_by is not None,
                requested_by=redriven_by,
                callback_url=task.callback.url if task.callback else None,
            )
        )

    def check_again(self, task: Task) -> AnyProcessor:
        """Return the processor that would do a task again.

        Raises:
            NotFinished: it is queued or running.
            ProcessorGone: its processor is not installed.
        """
        if not task.state.final:
            raise NotFinished
        processor = self._catalogue.get(task.processor)
        if processor is None:
            raise ProcessorGone
        return processor

    def _expired(self, task: Task) -> bool:
        return task.expires_at is not None and task.expires_at <= self._clock.now()

    def _cancel(self, task: Task, now: datetime) -> Change:
        if task.state is State.QUEUED:
            return cancel_queued(now=now, expires_at=self._retention.expiry(task, now))
        return request_cancel(now=now)
