"""The retry policy of a processor, and the errors that steer it."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tandem.limits import RUN_AFTER

MAX_ATTEMPTS = 8
"""The most attempts a processor may ask for: below the queue's maxReceiveCount (10), so that the
store ends a task before the queue's redrive policy takes its message away."""


MAX_CRASHES = 2
"""The most crashes in company that cost a task no attempt."""


class Permanent(Exception):
    """The task can never succeed: trying again would change nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OwnFault(Permanent):
    """Trying again would change nothing, and the caller is not at fault."""


class EffectUnknown(OwnFault):
    """An effect of `TaskContext.once` was begun and has no answer: it may have happened or not."""


class RetryTooLate(OwnFault):
    """The next attempt was asked for later than a task may wait."""


class RetryAfter(Exception):
    """The attempt has failed, and the next one is to come then: not by the backoff of `Retry`.

    It counts as an attempt. What is past, and a negative number of seconds, is at once. What is
    further ahead than a task may be submitted for (5 days) fails the task for good.

    Example:
        raise RetryAfter(30, "the service takes 100 requests a minute")
        raise RetryAfter(datetime(2027, 1, 1, tzinfo=UTC))
    """

    when: float | timedelta | datetime = 0.0
    reason = ""

    def __init__(self, when: float | timedelta | datetime, reason: str = "") -> None:
        """Say when the next attempt comes.

        Args:
            when: in how many seconds, or at which moment, which needs its time zone.
            reason: why, for the task's owner.

        Raises:
            TypeError: it is none of these.
            ValueError: it is no finite number, or has no time zone.
        """
        # What it is made of again where it crosses a process, whatever else a class derives from.
        Exception.__init__(self, when, reason)
        _check_when(when)
        self.when = when
        self.reason = reason

    def __str__(self) -> str:
        """Return why, or when."""
        if self.reason:
            return str(self.reason)
        return f"the processor asks for another attempt {_said(self.when)}"


def _check_when(when: Any) -> None:
    if isinstance(when, datetime):
        if when.utcoffset() is None:
            message = "RetryAfter needs a datetime with a time zone: datetime.now(UTC) has one"
            raise ValueError(message)
    elif isinstance(when, bool) or not isinstance(when, int | float | timedelta):
        message = f"RetryAfter takes seconds, a timedelta or a datetime, not {type(when).__name__}"
        raise TypeError(message)
    elif isinstance(when, float) and not math.isfinite(when):
        message = f"RetryAfter takes a finite number of seconds, not {when}"
        raise ValueError(message)


def _said(when: float | timedelta | datetime) -> str:
    if isinstance(when, datetime):
        return f"at {when.isoformat(timespec='seconds')}"
    return f"in {_seconds(when):.12g} s"


def _seconds(when: float | timedelta) -> float:
    if isinstance(when, timedelta):
        return when.total_seconds()
    try:
        return float(when)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf if when > 0 else -math.inf


def wait_asked_by(error: RetryAfter, now: datetime) -> timedelta:
    """Return how long the next attempt is to wait from now on.

    Raises:
        RetryTooLate: it would be further ahead than a task may wait.
        TypeError, ValueError: a subclass says another value than `RetryAfter` takes.
    """
    when = error.when
    _check_when(when)
    in_seconds = (when - now).total_seconds() if isinstance(when, datetime) else _seconds(when)
    seconds = float(in_seconds)  # not what a class of the processor's own says in its place
    if seconds > RUN_AFTER.total_seconds():
        message = (
            f"RetryAfter: the next attempt would come {_said(when)}, and may come within "
            f"{RUN_AFTER.total_seconds():g} s ({RUN_AFTER.days} days)"
        )
        raise RetryTooLate(message)
    return timedelta(seconds=max(seconds, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a task is tried, and how long between tries.

    The wait before attempt n + 1 is drawn evenly from 0 to `min_backoff_seconds * 2 ** (n - 1)`,
    never more than `max_backoff_seconds`: "full jitter" of
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    Example:
        Retry(attempts=5, min_backoff_seconds=2, throws=(KeyError,))
        Retry(retry_on=(ConnectionError, TimeoutError), timeouts=False)
    """

    attempts: int = 3
    min_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 900.0
    throws: tuple[type[BaseException], ...] = ()
    """Errors that are not retried, beside `Permanent`: the caller is at fault."""
    retry_on: tuple[type[BaseException], ...] | None = None
    """The only errors that are retried, beside `RetryAfter`: any other is the processor's fault,
    and fails the task at once. None retries all but those in `throws`, which comes first."""
    timeouts: bool = True
    """Whether an attempt that took longer than the time limit is tried again. False fails its task
    at once, and the caller is not at fault. No list of errors is asked for it."""
    crashes: int = MAX_CRASHES
    """How many attempts may end with their process at no cost, while other tasks ran beside them:
    any of these may have ended it. Then the task runs alone, and a crash counts as an attempt. With
    `Retry(attempts=1, crashes=0)` a task is never started twice."""

    def __post_init__(self) -> None:
        """Refuse a policy that could not be carried out, or that contradicts itself."""
        if not _is_whole(self.attempts) or not 1 <= self.attempts <= MAX_ATTEMPTS:
            message = f"attempts must be a whole number from 1 to {MAX_ATTEMPTS}"
            raise ValueError(message)
        if not _is_whole(self.crashes) or not 0 <= self.crashes <= MAX_CRASHES:
            message = f"crashes must be a whole number from 0 to {MAX_CRASHES}"
            raise ValueError(message)
        if not 0 <= self.min_backoff_seconds <= self.max_backoff_seconds <= 3600:
            message = "backoff must hold 0 <= min_backoff_seconds <= max_backoff_seconds <= 3600"
            raise ValueError(message)
        if not isinstance(self.timeouts, bool):
            message = "timeouts must be True or False"
            raise ValueError(message)  # noqa: TRY004 - as every other value that cannot be
        _check_types("throws", self.throws)
        if any(issubclass(kind, RetryAfter) for kind in self.throws):
            message = "throws must not name RetryAfter: raising it asks for another attempt"
            raise ValueError(message)
        if self.retry_on is not None:
            _check_types("retry_on", self.retry_on)
            self._check_can_be_retried(self.retry_on)

    def _check_can_be_retried(self, types: tuple[type[BaseException], ...]) -> None:
        never: tuple[type[BaseException], ...] = (Permanent, *self.throws)
        for kind in types:
            if issubclass(kind, never) or _is_invalid_model(kind):
                message = f"retry_on must not name {kind.__name__}, which is never retried"
                raise ValueError(message)

    def ceiling(self, attempt: int) -> timedelta:
        """Return the longest wait after the attempt of this number (from 1) failed."""
        seconds = self.min_backoff_seconds * 2 ** (attempt - 1)
        return timedelta(seconds=min(seconds, self.max_backoff_seconds))

    def delay(self, attempt: int, *, fraction: Callable[[], float] = random.random) -> timedelta:
        """Return the wait after the attempt of this number (from 1) failed."""
        return self.ceiling(attempt) * fraction()

    def allows(self, error: BaseException) -> bool:
        """Return whether an attempt that ended with this error may be tried again."""
        if isinstance(error, Permanent):
            return False
        if isinstance(error, RetryAfter):
            return True
        return not isinstance(error, self.throws) and not self.leaves_out(error)

    def leaves_out(self, error: BaseException) -> bool:
        """Return whether an error is none of those that are retried, and not its caller's fault."""
        known = (*self.throws, *(self.retry_on or ()), Permanent, RetryAfter)
        return self.retry_on is not None and not isinstance(error, known)


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _is_invalid_model(error: type) -> bool:
    return error.__name__ == "ValidationError" and error.__module__.startswith("pydantic_core")


def _check_types(name: str, types: Any) -> None:
    if not isinstance(types, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in types
    ):
        message = f"{name} must be a tuple of exception classes: {name}=(ConnectionError,)"
        raise ValueError(message)
    if any(issubclass(kind, BaseExceptionGroup) for kind in types):
        message = f"{name} must not name a group of errors: one of the errors in it decides"
        raise ValueError(message)
