"""The retry policy of a processor, and the errors that steer it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a task is tried, and how long between tries.

    The wait before attempt n + 1 is drawn evenly from 0 to `min_backoff_seconds * 2 ** (n - 1)`,
    never more than `max_backoff_seconds`: "full jitter" of
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    Example:
        Retry(attempts=5, min_backoff_seconds=2, throws=(KeyError,))
    """

    attempts: int = 3
    min_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 900.0
    throws: tuple[type[Exception], ...] = ()
    """Errors that are not retried, beside `Permanent`."""
    crashes: int = MAX_CRASHES
    """How many attempts may end with their process at no cost, while other tasks ran beside them:
    any of these may have ended it. Then the task runs alone, and a crash counts as an attempt. With
    `Retry(attempts=1, crashes=0)` a task is never started twice."""

    def __post_init__(self) -> None:
        """Refuse a policy that the queue could not carry out."""
        if not 1 <= self.attempts <= MAX_ATTEMPTS:
            message = f"attempts must be from 1 to {MAX_ATTEMPTS}"
            raise ValueError(message)
        if not 0 <= self.crashes <= MAX_CRASHES:
            message = f"crashes must be from 0 to {MAX_CRASHES}"
            raise ValueError(message)
        if not 0 <= self.min_backoff_seconds <= self.max_backoff_seconds <= 3600:
            message = "backoff must hold 0 <= min_backoff_seconds <= max_backoff_seconds <= 3600"
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
        return not isinstance(error, (Permanent, *self.throws))
