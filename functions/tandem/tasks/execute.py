"""Running an attempt."""

import asyncio
import inspect
import math
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from errno import ENOSPC
from functools import partial
from tempfile import gettempdir
from threading import Lock
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from tandem.clock import Clock
from tandem.files.blobs import BlobMissing, BlobStore
from tandem.ids import TaskId
from tandem.limits import DUE_MARGIN, ERROR_CHARACTERS, LEASE
from tandem.processing.catalogue import Catalogue
from tandem.processing.context import Abandoned, Logger, Pool
from tandem.processing.output import dump_output
from tandem.processing.pool import one_process
from tandem.processing.processor import AnyProcessor
from tandem.processing.surroundings import Surroundings
from tandem.secrets import SecretsError
from tandem.tasks.attempt import Attempt
from tandem.tasks.grouped import deciding
from tandem.tasks.outcomes import (
    STOPPED,
    TIMED_OUT,
    CrowdedOut,
    Failed,
    NoRoomHere,
    Outcome,
    Postponed,
    Succeeded,
)
from tandem.tasks.payloads import Payloads
from tandem.tasks.retry import OwnFault, Permanent, Retry, RetryAfter, wait_asked_by
from tandem.tasks.store import ChangeRefused, TaskReader, TaskWriter
from tandem.tasks.task import State, Task, TaskError
from tandem.tasks.transitions import Change, claim, hand_back
from tandem.text import error_text, error_type
from tandem.trace import described

if TYPE_CHECKING:
    from tandem.files.capacity import Capacity
    from tandem.tasks.effects import Effects
    from tandem.tasks.settings import ProcessorSettings

_LEFT_OVER = 0.1
"""The share of a disk that may be in use while it counts as empty."""


class DiskTooSmall(Permanent):
    """The task needs more than the function's whole disk."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the task needs more than the {size_bytes} bytes of the function's disk")


def empty_disk_bytes() -> int:
    """Return the size of the disk of temporary files. 0 when something is left on it."""
    disk = shutil.disk_usage(gettempdir())
    return disk.total if disk.used <= disk.total * _LEFT_OVER else 0


UNKNOWN_PATIENCE = timedelta(hours=24)
"""For how long a task waits for its processor: a deployment reaches one function after the other,
and one that took a processor away by mistake is taken back."""

_UNKNOWN_LONGEST = timedelta(minutes=15)
NO_ROOM = TaskError("NoRoom", "it needs more than the API has; the task goes on offline")
DISK_FULL = TaskError("DiskFull", "others had filled the function's disk; it is started again")
NOT_HELD = TaskError("NotHeld", "its time could not be recorded; it is started again")

UNKNOWN_SECONDS = 10
"""The time limit of an attempt whose processor is not there: it only says so."""


class InputExpired(OwnFault):
    """The bucket's lifecycle deleted the input before the task ran."""


class NotBegun(Exception):
    """The input, or the settings, could not be read this time. The processor had not begun."""

    def __init__(self, why: Exception) -> None:
        super().__init__(why)
        self.why = why


class Execution:
    """Runs attempts."""

    def __init__(
        self,
        reader: TaskReader,
        writer: TaskWriter,
        blobs: BlobStore,
        clock: Clock,
        *,
        catalogue: Catalogue,
        pool: Pool,
        effects: "Callable[[Task], Effects]",
        capacity: "Callable[[], Capacity]",
        surroundings: Surroundings,
        settings: "Callable[[], ProcessorSettings]",
        logger: Logger,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._blobs = blobs
        self._payloads = Payloads(blobs)
        self._clock = clock
        self._catalogue = catalogue
        self._pool = pool
        self._effects = effects
        self._capacity = capacity
        self._surroundings = surroundings
        self._settings = settings
        self._making_settings = Lock()
        self._logger = logger

    def claim(
        self, task_id: TaskId, *, until: datetime, alone: bool = False, in_company: bool = False
    ) -> Attempt:
        """Start the next attempt of a task, which may run until its limit or the given time.

        It holds the task until its deadline, and a margin to record its end.

        Args:
            task_id: the task.
            until: when the function stops.
            alone: whether a task may be started that must run alone.
            in_company: whether other work runs in this process.

        Raises:
            ChangeRefused: the task is held, waits, is final, has no attempt left, must run alone,
                or is unknown.
        """
        now = self._clock.now()
        change = claim(now=now, lease_until=now + LEASE, alone=alone, in_company=in_company)
        attempt = None
        try:
            attempt = self.begin(self._writer.change(task_id, change), until=until)
            attempt.hold()
        except ChangeRefused:
            raise
        except Exception:
            self._let_go(task_id, change, attempt)
            raise
        if not attempt.holds:
            # The claim, or its extension, was answered so late that others have moved the task on.
            raise ChangeRefused(attempt.task)
        return attempt

    def _let_go(self, task_id: TaskId, change: Change, attempt: Attempt | None) -> None:
        """Queue a task again that was claimed, as it seems or as is known, and cannot be held.

        Args:
            task_id: the task.
            change: the claim.
            attempt: what it started. None when its answer was lost.
        """
        now = self._clock.now()
        task = self._reader.get(task_id)
        if task is None or task.state is not State.RUNNING:
            return
        if change.made(task) or (attempt is not None and task.attempts == attempt.attempt):
            due_at = now + DUE_MARGIN
            self._writer.change(
                task.task_id,
                hand_back(task, now=now, not_before=now, due_at=due_at, why=NOT_HELD),
            )

    def begin(self, task: Task, *, until: datetime, in_api: bool = False) -> Attempt:
        """Return the attempt that holds a task."""
        return Attempt(
            task,
            deadline=min(until, self._clock.now() + self.time_limit(task)),
            reader=self._reader,
            writer=self._writer,
            blobs=self._blobs,
            clock=self._clock,
            pool=self._pool,
            effects=self._effects,
            logger=self._logger,
            check_size=partial(self._check_size, task.processor, in_api=in_api),
            in_api=in_api,
        )

    def _check_size(self, name: str, size_bytes: int, *, in_api: bool) -> None:
        """Refuse uploads that the processor does not take here, where it says what it takes."""
        processor = self._catalogue.get(name)
        if processor is not None and processor.upload_mib is not None:
            self._capacity().check(processor, size_bytes, in_api=in_api)

    def time_limit(self, task: Task) -> timedelta:
        """Return how long an attempt at a task may take."""
        processor = self._catalogue.get(task.processor)
        return timedelta(seconds=processor.time_limit_seconds if processor else UNKNOWN_SECONDS)

    def run(self, attempt: Attempt, data: BaseModel | None = None) -> Outcome:
        """Run the processor and return how it ended. Never raises what the processor raised.

        Args:
            attempt: the attempt that holds the task.
            data: the task's input when it is at hand. Else it is read from where it is kept.
        """
        task = attempt.task
        processor = self._catalogue.get(task.processor)
        if processor is None:
            return self._unknown(task)
        try:
            if data is None:
                data = processor.input.model_validate_json(self._input_of(task))
            if processor.settings is not None:
                attempt.given_settings = self._settings_of(task.processor, processor.settings)
            attempt.begun = True
            output = self._surroundings.run(attempt, partial(_call, processor, data, attempt))
            return Succeeded(dump_output(processor.name, output, processor.output))
        except BaseException as error:  # noqa: BLE001 - a Rust extension's panic, `sys.exit`, …: it
            # ends this attempt and no more, not the function with the rest of its batch.
            try:
                return self._ended_by(deciding(error, self._weigher(processor)), processor, attempt)
            except BaseException as wrong:  # noqa: BLE001 - a class of the processor's own may raise
                # where it is only looked at: in its `__class__`, or its metaclass.
                self._logger.error("error not understood", **described(wrong))
                failure = TaskError(error_type(error), error_type(error))
                return Failed(failure, processor.retry.delay(_counted(attempt)))

    def _ended_by(self, error: BaseException, processor: AnyProcessor, attempt: Attempt) -> Outcome:
        if isinstance(error, Abandoned):
            return STOPPED if attempt.cancel_requested else self.timed_out(attempt)
        if _no_room(error):
            return self._without_room(processor, attempt, error)
        return self._failed(processor, attempt, error)

    def _weigher(self, processor: AnyProcessor) -> Callable[[BaseException], tuple[int, float]]:
        """Return what tells which error of a group decides: the most final one."""
        now = self._clock.now()

        def weight(error: BaseException) -> tuple[int, float]:
            if isinstance(error, Abandoned):
                return 4, 0
            if _no_room(error):
                return 3, 0
            if isinstance(error, RetryAfter) and not isinstance(error, Permanent):
                return 1, _asked_seconds(error, now)
            return (0 if _may_try_again(processor, error) else 2), 0

        return weight

    def _settings_of(self, processor: str, model: type[BaseModel]) -> BaseModel:
        with self._making_settings:  # else each thread of a first batch would read them
            source = self._settings()
        try:
            return source.of(processor, model)
        except SecretsError as error:
            raise NotBegun(error) from error

    def _input_of(self, task: Task) -> bytes:
        try:
            return self._payloads.read(task.input)
        except BlobMissing:
            message = "the task's input has expired"
            raise InputExpired(message) from None
        except Exception as error:
            raise NotBegun(error) from error

    def _unknown(self, task: Task) -> Outcome:
        """Return that the task waits for its processor or, after a day of that, has failed."""
        error = TaskError("UnknownProcessor", f"there is no processor {task.processor!r}")
        if task.started_at is not None and self._clock.now() - task.started_at > UNKNOWN_PATIENCE:
            return Failed(replace(error, permanent=True, own=True), None)
        wait = timedelta(seconds=2 ** min(task.uncounted, 10))
        return Postponed(error, min(wait, _UNKNOWN_LONGEST))

    def timed_out(self, attempt: Attempt) -> Failed | CrowdedOut:
        """Return how an attempt ends that ran past its deadline."""
        processor = self._catalogue.get(attempt.task.processor)
        retry = processor.retry if processor else Retry()
        allowed = attempt.deadline - (attempt.task.attempt_started_at or attempt.deadline)
        if processor is not None:
            # The deadline counts from when the processor started, a moment after the claim.
            allowed = min(allowed, timedelta(seconds=processor.time_limit_seconds))
        work = "the attempt" if attempt.begun else "to read its input and settings"
        message = f"{work} took longer than its {allowed.total_seconds():.3g} s"
        error = TaskError(TIMED_OUT, message)
        if attempt.crowded_out:
            return CrowdedOut(error)
        if attempt.begun and not retry.timeouts:
            return Failed(replace(error, permanent=True, own=True), None, timed_out=True)
        return Failed(error, retry.delay(_counted(attempt)), timed_out=True)

    def _without_room(
        self, processor: AnyProcessor, attempt: Attempt, error: BaseException
    ) -> Outcome:
        """Return how an attempt ends that found too little room. Its own files are gone by now.

        Others may have held the room. When there were none, the next attempt would end as well.
        """
        if attempt.in_api:
            return Postponed(NO_ROOM, timedelta(0))
        if attempt.had_company:
            return CrowdedOut(DISK_FULL)
        if not attempt.task.in_company and (size_bytes := empty_disk_bytes()):
            error = DiskTooSmall(size_bytes)
        return self._failed(processor, attempt, error)

    def _failed(
        self, processor: AnyProcessor, attempt: Attempt, error: BaseException
    ) -> Failed | Postponed:
        asked_wait = None
        if isinstance(error, RetryAfter) and not isinstance(error, Permanent):
            try:
                asked_wait = wait_asked_by(error, self._clock.now())
            except BaseException as wrong:  # noqa: BLE001 - its values may be the processor's own
                error = wrong
        permanent = not _may_try_again(processor, error)
        if isinstance(error, NotBegun):
            error = error.why
            if attempt.in_api:  # its service may answer the worker: no caller is at fault for it
                self._logger.warning("not begun", **described(error))
                why = TaskError(error_type(error), error_text(error, ERROR_CHARACTERS))
                return Postponed(why, timedelta(0))
        self._logger.warning(
            "attempt failed",
            **described(error),
            attempt=attempt.attempt,
            permanent=permanent,
        )
        retry_in = asked_wait
        if retry_in is None and not permanent:
            retry_in = processor.retry.delay(_counted(attempt))
        failure = TaskError(
            error_type(error),
            _text_for_owner(error, attempt),
            permanent=permanent,
            own=permanent and _is_own_fault(processor, error),
        )
        return Failed(failure, retry_in, asked=asked_wait is not None)


def _may_try_again(processor: AnyProcessor, error: BaseException) -> bool:
    if isinstance(error, NotBegun):  # not the processor's: its lists do not say anything of it
        return True
    return not isinstance(error, ValidationError) and processor.retry.allows(error)


def _is_own_fault(processor: AnyProcessor, error: BaseException) -> bool:
    """Return whether the caller is not at fault for an error that is not tried again."""
    if isinstance(error, ValidationError):
        return _of_output(processor, error)
    return isinstance(error, OwnFault) or processor.retry.leaves_out(error)


def _asked_seconds(error: RetryAfter, now: datetime) -> float:
    """Return what an error of a group asks for. One that asks for nothing possible decides."""
    try:
        return wait_asked_by(error, now).total_seconds()
    except BaseException:  # noqa: BLE001 - its values may be the processor's own
        return math.inf


def _text_for_owner(error: BaseException, attempt: Attempt) -> str:
    """Return an error's message. Libraries quote what they were given: a key in a URL, say."""
    if attempt.given_settings is None:
        return error_text(error, ERROR_CHARACTERS)
    from tandem.processing.settings import masked

    # Before it is cut, so that no part of a secret is left at its end.
    return masked(error_text(error, 100 * ERROR_CHARACTERS), attempt.given_settings)[
        :ERROR_CHARACTERS
    ]


def _no_room(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno == ENOSPC
    return full or isinstance(error, NoRoomHere)


def _counted(attempt: Attempt) -> int:
    """Return the number of an attempt without those that cost the task none."""
    return max(attempt.task.attempts - attempt.task.uncounted, 1)


def _of_output(processor: AnyProcessor, error: BaseException) -> bool:
    """Return whether the processor made an output that is not of its own model."""
    if not isinstance(error, ValidationError):
        return False
    output, given = (_title(model) for model in (processor.output, processor.input))
    return error.title == output != given


def _title(model: type[BaseModel]) -> str:
    """Return what Pydantic names a model by in its errors."""
    return model.model_config.get("title") or model.__name__


def _call(processor: AnyProcessor, data: BaseModel, attempt: Attempt) -> Any:
    returned = processor.run(data, attempt)
    return asyncio.run(_awaited(returned)) if inspect.isawaitable(returned) else returned


async def _awaited(returned: Awaitable[Any]) -> Any:
    # A forked process must not take the event loop down: its selector is the parent's.
    with one_process():
        return await returned
