"""Sending recorded tasks to the worker."""

from datetime import timedelta

from tandem.domain.clock import Clock
from tandem.domain.task import Task
from tandem.ports import MAX_DELAY, Envelope, TaskQueue


class Dispatch:
    """Sends tasks, each when it is to run."""

    def __init__(self, queue: TaskQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    def send(self, *tasks: Task) -> None:
        """Send recorded tasks to the worker, each when it is to run.

        One that must wait for longer than the queue keeps a message is not sent: it is overdue
        when its time has come, and then is.
        """
        now = self._clock.now()
        envelopes = []
        for task in tasks:
            delay = max((task.not_before or now) - now, timedelta(0))
            if delay <= MAX_DELAY:
                envelopes.append(_envelope(task, delay))
        if envelopes:
            self._queue.send(*envelopes)


def _envelope(task: Task, delay: timedelta) -> Envelope:
    """Return what the queue carries of a task."""
    return Envelope(
        task_id=task.task_id, tenant=task.tenant, traceparent=task.traceparent, delay=delay
    )
