"""The outcomes of an attempt."""

from dataclasses import dataclass
from datetime import timedelta

from tandem.tasks.task import TaskError


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The processor returned this output, as JSON."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended with an error."""

    error: TaskError
    retry_in: timedelta | None
    """How long to wait for the next attempt. None when trying again cannot help."""
    asked: bool = False
    """Whether the processor said when the next attempt comes."""
    timed_out: bool = False
    """Whether it ran past its deadline."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """The attempt could not do its work where it ran, and costs the task none."""

    why: TaskError
    retry_in: timedelta


@dataclass(frozen=True, slots=True)
class CrowdedOut:
    """What ran beside the attempt took its time: it counts as a crash in company."""

    why: TaskError


@dataclass(frozen=True, slots=True)
class Stopped:
    """The processor stopped because its owner asked."""


class NoRoomHere(Exception):
    """The API's function has not what the task needs, and the worker may have it."""


Outcome = Succeeded | Failed | Postponed | CrowdedOut | Stopped

STOPPED = Stopped()

TIMED_OUT = "TimedOut"
