"""Running an attempt."""

import asyncio
import inspect
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from tandem.domain.clock import Clock
from tandem.domain.ids import TaskId
from tandem.domain.retry import Permanent, Retry
from tandem.domain.task import Task, TaskError
from tandem.domain.text import storable
from tandem.domain.transitions import claim
from tandem.limits import ERROR_CHARACTERS, LEASE
from tandem.ports import BlobStore, TaskStore
from tandem.processing.catalogue import Catalogue
from tandem.processing.context import Abandoned, Logger, Pool
from tandem.processing.processor import AnyProcessor
from tandem.services.attempt import Attempt
from tandem.services.outcomes import STOPPED, TIMED_OUT, Failed, Outcome, Succeeded
from tandem.services.payloads import Payloads
from tandem.trace import described

_ENDS_ATTEMPT = (Exception, SystemExit, asyncio.CancelledError)
"""Whatever a processor raises ends its attempt, and no more: a library that calls `sys.exit` must
not end the function, with the other messages of its batch."""


class Execution:
    """Runs attempts."""

    def __init__(
        self,
        store: TaskStore,
        blobs: BlobStore,
        clock: Clock,
        *,
        catalogue: Catalogue,
        pool: Pool,
        logger: Logger,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._payloads = Payloads(blobs)
        self._clock = clock
        self._catalogue = catalogue
        self._pool = pool
        self._logger = logger

    def claim(self, task_id: TaskId, *, until: datetime) -> Attempt:
        """Start the next attempt of a task, which may run until its limit or the given time.

        It holds the task for a lease; `Attempt.extend` makes that longer while it runs.

        Raises:
            ChangeRefused: the task is held, waits, is final, has no attempt left, or is unknown.
        """
        now = self._clock.now()
        task = self._store.change(task_id, claim(now=now, lease_until=now + LEASE))
        return self.begin(task, until=until)

    def begin(self, task: Task, *, until: datetime) -> Attempt:
        """Return the attempt that holds a task."""
        processor = self._catalogue.get(task.processor)
        limit = processor.time_limit_seconds if processor else 0
        return Attempt(
            task,
            deadline=min(until, self._clock.now() + timedelta(seconds=limit)),
            store=self._store,
            blobs=self._blobs,
            clock=self._clock,
            pool=self._pool,
            logger=self._logger,
        )

    def run(self, attempt: Attempt, data: BaseModel | None = None) -> Outcome:
        """Run the processor and return how it ended; never raises what the processor raised.

        Args:
            attempt: the attempt that holds the task.
            data: the task's input when it is at hand; else it is read from where it is kept.
        """
        task = attempt.task
        processor = self._catalogue.get(task.processor)
        if processor is None:
            # Perhaps not yet: a deployment reaches the functions one after the other.
            error = TaskError("UnknownProcessor", f"there is no processor {task.processor!r}")
            return Failed(error, Retry().delay(attempt.attempt))
        try:
            if data is None:
                data = processor.input.model_validate_json(self._payloads.read(task.input))
            return Succeeded(_call(processor, data, attempt))
        except Abandoned:
            return STOPPED if attempt.cancel_requested else self.timed_out(attempt)
        except _ENDS_ATTEMPT as error:
            return self._failed(processor, attempt, error)

    def timed_out(self, attempt: Attempt) -> Failed:
        """Return how an attempt ends that ran past its deadline."""
        processor = self._catalogue[attempt.task.processor]
        allowed = attempt.deadline - (attempt.task.attempt_started_at or attempt.deadline)
        message = f"the attempt took longer than its {allowed.total_seconds():.3g} s"
        return Failed(TaskError(TIMED_OUT, message), processor.retry.delay(attempt.attempt))

    def _failed(self, processor: AnyProcessor, attempt: Attempt, error: BaseException) -> Failed:
        permanent = isinstance(error, ValidationError) or not processor.retry.allows(error)
        self._logger.warning(
            "attempt failed",
            **described(error),
            attempt=attempt.attempt,
            permanent=permanent,
        )
        retry_in = None if permanent else processor.retry.delay(attempt.attempt)
        return Failed(TaskError(type(error).__name__, _message(error)), retry_in)


def _call(processor: AnyProcessor, data: BaseModel, attempt: Attempt) -> bytes:
    returned = processor.run(data, attempt)
    output = asyncio.run(_awaited(returned)) if inspect.isawaitable(returned) else returned
    if not isinstance(output, processor.output):
        message = f"{processor.name} returned {type(output).__name__}"
        raise Permanent(message)
    document: str = output.model_dump_json(by_alias=True)
    return document.encode()


async def _awaited(returned: Awaitable[Any]) -> Any:
    return await returned


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        wrong = [f"{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return storable("; ".join(wrong), ERROR_CHARACTERS)
    return storable(str(error) or type(error).__name__, ERROR_CHARACTERS)
