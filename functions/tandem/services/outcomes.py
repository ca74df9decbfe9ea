"""How an attempt ends."""

from dataclasses import dataclass
from datetime import timedelta

from tandem.domain.task import TaskError


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The processor returned this output, as JSON."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended with an error."""

    error: TaskError
    retry_in: timedelta | None
    """How long to wait for the next attempt; None when trying again cannot help."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The processor stopped because its owner asked."""


Outcome = Succeeded | Failed | Stopped

STOPPED = Stopped()

TIMED_OUT = "TimedOut"
CRASHED = TaskError("Crashed", "the attempt ended without recording a result")
