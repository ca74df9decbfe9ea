"""An outside effect of a task, recorded before it happens and again with its answer.

The record belongs to a chain of tasks: every attempt, retry and redrive finds the same one.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Literal, Protocol

from tandem.clock import to_text
from tandem.ids import TaskId
from tandem.tasks.retry import EffectUnknown
from tandem.tasks.task import Fence

KEY_CHARACTERS = 255
"""An effect's key: its length at most."""

ANSWER_BYTES = 64 * 1024
"""An effect's answer as JSON. It is kept in one item, which may have 400 KB."""

type Unknown = Literal["fail", "again"]
"""What to do about an effect that was begun and has no answer: fail, or call again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect that was begun."""

    idempotency_key: str
    """Names it, here and to the receiver."""
    task_id: TaskId
    attempt: int
    """Who began it."""
    call_id: str
    """Of the call that began it: each has an id of its own."""
    begun_at: datetime
    expires_at: datetime
    """From when the store may forget it."""
    answer: str | None = None
    """JSON text. None means that the effect may have happened or not."""


def check_key(key: object) -> None:
    """Raise ValueError for what cannot be an effect's key."""
    if not isinstance(key, str) or not 0 < len(key) <= KEY_CHARACTERS:
        message = f"the key of an effect is a text of 1 to {KEY_CHARACTERS} characters"
        raise ValueError(message)


def check_unknown(unknown: object) -> None:
    """Raise ValueError for what is no way to treat an unknown effect."""
    if unknown not in ("fail", "again"):
        message = f"unknown is 'fail' or 'again', and not {unknown!r}"
        raise ValueError(message)


def check_call(call: object) -> None:
    """Raise TypeError for what cannot make an effect."""
    if not callable(call) or iscoroutinefunction(call):
        message = "the call of an effect is a plain function: wrap a coroutine in asyncio.run"
        raise TypeError(message)


def idempotency_key(origin: TaskId, processor: str, key: str) -> str:
    """Return what names an effect to its receiver: 64 hexadecimal digits.

    Args:
        origin: the first task of the chain.
        processor: the processor's name.
        key: the processor's own name of the effect, one of its task's.
    """
    from hashlib import sha256

    return sha256(json.dumps([origin, processor, key]).encode()).hexdigest()


def unknown_effect(key: str, effect: Effect) -> EffectUnknown:
    """Return the error for an effect that was begun and has no answer."""
    message = (
        f"The effect {key!r} may have happened or not: attempt {effect.attempt} of task "
        f"{effect.task_id} began it at {to_text(effect.begun_at)} and recorded no answer. "
        f"Look at its receiver (idempotency key {effect.idempotency_key}). If the effect did not "
        "happen, submit the input as a new task: a retry or redrive ends here again."
    )
    return EffectUnknown(message)


class NotHeld(Exception):
    """The attempt does not hold its task any more. Nothing was recorded."""


class EffectStore(Protocol):
    """Keeps effects by their idempotency keys. Each call is one atomic step.

    A write that is made again, since its answer was lost, does what the first one did.
    """

    def get(self, key: str) -> Effect | None:
        """Return the effect of an idempotency key as last written, or None."""
        ...

    def write(self, effect: Effect, fence: Fence, *, instead_of: Effect | None = None) -> Effect:
        """Record an effect, and return the record that is there then.

        That is another one where another call was first: one that is there already or, with
        `instead_of`, one that has an answer or was begun by another call than this.

        Args:
            effect: what to record.
            fence: of the attempt that must hold the effect's task.
            instead_of: the record without an answer that it replaces.

        Raises:
            NotHeld: the attempt does not hold the task.
            Contended: others wrote the task, or the effect, all the while.
        """
        ...

    def keep(self, key: str, until: datetime) -> None:
        """Keep an effect for so long at least."""
        ...
