"""Sending recorded tasks to the worker."""

from datetime import datetime, timedelta

from tandem.clock import Clock
from tandem.ids import TaskId
from tandem.limits import DUE_MARGIN
from tandem.messages import MAX_DELAY, Envelope, TaskQueue
from tandem.processing.context import Logger
from tandem.tasks.task import Task
from tandem.trace import described


class Dispatch:
    """Sends tasks, each when it is to run. Never fails: what is not sent is swept."""

    def __init__(self, queue: TaskQueue, clock: Clock, logger: Logger) -> None:
        self._queue = queue
        self._logger = logger
        self._clock = clock

    def send(self, *tasks: Task) -> list[TaskId]:
        """Send recorded tasks to the worker, each when it is to run. Return those that were lost.

        One that must wait for longer than the queue keeps a message is not sent: it is overdue
        when its time has come, and then is.
        """
        now = self._clock.now()
        envelopes = []
        for task in tasks:
            delay = max((task.not_before or now) - now, timedelta(0))
            if delay <= MAX_DELAY:
                envelopes.append(_envelope(task, delay))
        return self._send(envelopes) if envelopes else []

    def send_after(self, wait: timedelta, task: Task) -> bool:
        """Send a recorded task after a while, `MAX_DELAY` at most. Return whether it was sent."""
        return not self._send([_envelope(task, min(wait, MAX_DELAY))])

    def leave(self, *tasks: Task) -> None:
        """Say of recorded tasks that there is no time left to send them: they are swept."""
        self._logger.error("not sent", tasks=len(tasks))

    def _send(self, envelopes: list[Envelope]) -> list[TaskId]:
        """Send, and only log what could not be: a recorded task is overdue one day, and swept."""
        try:
            lost = self._queue.send(*envelopes)
        except Exception as error:  # noqa: BLE001 - the caller's task is safe: it is recorded
            lost = [envelope.task_id for envelope in envelopes]
            self._logger.error("not sent", tasks=len(lost), **described(error))
        else:
            if lost:
                self._logger.error("not sent", tasks=len(lost))
        return lost


def due_at(not_before: datetime, now: datetime) -> datetime:
    """Return when a task that waits until then must next have moved.

    One that waits for longer than a queue keeps a message has none: the sweep sends it in time.
    """
    return not_before if not_before - now > MAX_DELAY else not_before + DUE_MARGIN


def _envelope(task: Task, delay: timedelta) -> Envelope:
    """Return what the queue carries of a task."""
    return Envelope(
        task_id=task.task_id, tenant=task.tenant, traceparent=task.traceparent, delay=delay
    )
