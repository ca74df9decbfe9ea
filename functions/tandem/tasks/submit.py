"""Recording tasks, and sending the offline ones to the worker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from tandem.callbacks.callback import Callback
from tandem.clock import Clock
from tandem.ids import TenantId, new_task_id
from tandem.processing.pool import BoundedPool
from tandem.processing.processor import AnyProcessor
from tandem.tasks.dispatch import Dispatch, due_at
from tandem.tasks.payloads import Payloads
from tandem.tasks.results import CachedResult
from tandem.tasks.store import Follows, IdempotencyKey, TaskWriter
from tandem.tasks.task import Mode, Retention, State, Task

SENT_WITHIN = timedelta(seconds=2)
"""How long after its record a task's message may still be on its way to the queue."""


SENT_TOGETHER = 10
"""Tasks that one call to the queue takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What is submitted."""

    tenant: TenantId
    processor: AnyProcessor
    document: bytes
    """The input as JSON."""
    traceparent: str
    once: IdempotencyKey | None = None
    run_after: datetime | None = None
    retries: Task | None = None
    """The finished task that it does again."""
    redrive: bool = False
    """Whether it must be the first that does so."""
    requested_by: str | None = None
    cache_key: str | None = None
    callback_url: str | None = None


class OutOfTime(Exception):
    """There was no time left to record a task."""


class Submissions:
    """Accepts tasks.

    A task is recorded before it is sent: a crash between the two leaves a task that is overdue one
    day, and so is found. A message without a task would be lost.
    """

    def __init__(
        self,
        writer: TaskWriter,
        dispatch: Dispatch,
        payloads: Payloads,
        clock: Clock,
        *,
        pool: BoundedPool,
        retention: Retention,
    ) -> None:
        self._writer = writer
        self._dispatch = dispatch
        self._payloads = payloads
        self._clock = clock
        self._pool = pool
        self._retention = retention

    def offline(self, new: NewTask) -> Task:
        """Record a task, send it to the worker, and return it.

        Raises:
            KeyUsed: its key was used before. Nothing was recorded.
            AlreadyRetried: it is to be the first that does a failed task again, and is not.
        """
        task = self._record(new)
        self._dispatch.send(task)
        return task

    def offline_many(
        self,
        news: "Sequence[NewTask | Exception]",
        *,
        until: datetime | None = None,
        send_until: datetime | None = None,
    ) -> "list[Task | Exception]":
        """Record tasks and send them. Return each, or why it was not recorded, in their order.

        What is an exception already stays one. What is not begun by `until` is `OutOfTime`. What
        is not being sent by `send_until` is swept.
        """
        record = partial(self._recorded_or_error, until=until)
        outcomes = self._pool.map(record, news)
        recorded = [task for task in outcomes if isinstance(task, Task)]
        self._send_together(recorded, until=send_until)
        return outcomes

    def online(self, new: NewTask, *, lease_until: datetime) -> Task:
        """Record a task whose first attempt the caller starts now, and return it.

        Raises:
            KeyUsed: its key was used before. Nothing was recorded.
        """
        now = self._clock.now()
        task = replace(
            self._new(new, now),
            mode=Mode.ONLINE,
            state=State.RUNNING,
            attempts=1,
            in_company=self._pool.left_behind > 0,
            due_at=lease_until,
            lease_until=lease_until,
            started_at=now,
            attempt_started_at=now,
        )
        self._writer.put(task, once=new.once)
        return task

    def found(self, *tasks: Task, until: datetime | None = None) -> None:
        """Send tasks that a repeated request found, where their messages may never have been sent.

        Whoever recorded them may have been answered by an error, and have sent nothing. A message
        too many does no harm. What is not being sent by `until` is swept.
        """
        since = self._clock.now() - SENT_WITHIN
        not_sent = [
            task
            for task in tasks
            if task.created_at < since and task.state is State.QUEUED and not task.attempts
        ]
        self._send_together(not_sent, until=until)

    def waited_for(self, new: NewTask) -> Task:
        """Record a task whose caller waits for the worker to run it, send it, and return it.

        Raises:
            KeyUsed: its key was used before. Nothing was recorded.
        """
        task = self._record(new, Mode.ONLINE)
        self._dispatch.send(task)
        return task

    def answered(self, new: NewTask, mode: Mode, result: CachedResult) -> Task:
        """Record a task that a kept result answers, and return it: it has succeeded, with no run.

        What lies in the blob store is copied: the other task, and its objects, may be deleted.

        Raises:
            KeyUsed: its key was used before. Nothing was recorded.
            BlobMissing: an object of the result is gone. Nothing was recorded.
        """
        now = self._clock.now()
        task = self._new(new, now)
        file = result.file and self._payloads.copied_file(task.task_id, result.file)
        task = replace(
            task,
            mode=mode,
            state=State.SUCCEEDED,
            output=self._payloads.copied(task.task_id, result.output),
            file=file,
            cached_from=result.task_id,
            finished_at=now,
        )
        task = replace(task, expires_at=self._retention.expiry(task, now))
        self._writer.put(task, once=new.once)
        return task

    def _send_together(self, tasks: Sequence[Task], *, until: datetime | None) -> None:
        """Send tasks in calls of `SENT_TOGETHER`, side by side."""

        def send(together: tuple[Task, ...]) -> None:
            if until is not None and self._clock.now() >= until:
                self._dispatch.leave(*together)
            else:
                self._dispatch.send(*together)

        self._pool.map(send, batched(tasks, SENT_TOGETHER, strict=False))

    def _recorded_or_error(
        self, new: NewTask | Exception, *, until: datetime | None
    ) -> "Task | Exception":
        if isinstance(new, Exception):
            return new
        if until is not None and self._clock.now() >= until:
            return OutOfTime()
        try:
            return self._record(new)
        except Exception as error:  # noqa: BLE001 - one task's failure is not its batch's
            return error

    def _record(self, new: NewTask, mode: Mode = Mode.OFFLINE) -> Task:
        now = self._clock.now()
        run_after = new.run_after if new.run_after and new.run_after > now else None
        due = due_at(run_after or now, now)
        task = replace(self._new(new, now), mode=mode, not_before=run_after, due_at=due)
        self._writer.put(task, once=new.once, follows=_follows(new))
        return task

    def _new(self, new: NewTask, now: datetime) -> Task:
        task_id = new_task_id(now)
        return Task(
            task_id=task_id,
            tenant=new.tenant,
            processor=new.processor.name,
            mode=Mode.OFFLINE,
            state=State.QUEUED,
            input=self._payloads.keep_input(task_id, new.document),
            max_attempts=new.processor.retry.attempts,
            max_crashes=new.processor.retry.crashes,
            created_at=now,
            retry_of=new.retries.task_id if new.retries else None,
            first_task=new.retries.origin if new.retries else None,
            requested_by=new.requested_by,
            traceparent=new.traceparent,
            cache_key=new.cache_key,
            callback=Callback(url=new.callback_url) if new.callback_url else None,
        )


def _follows(new: NewTask) -> Follows | None:
    """Return the failed task that leaves the list by a new one."""
    if new.retries is None or new.retries.state is not State.FAILED:
        return None
    return Follows(task_id=new.retries.task_id, first=new.redrive)
