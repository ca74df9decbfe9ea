"""Outside effects of tasks, each recorded before it happens and again with its answer.

The record belongs to a chain of tasks: every attempt, retry and redrive finds the same one.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from secrets import token_hex
from threading import Lock, RLock
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from tandem.clock import Clock, to_text
from tandem.ids import TaskId
from tandem.tasks.retry import EffectUnknown, OwnFault
from tandem.tasks.task import Fence, Retention, Task

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


LEAST = timedelta(days=1)
"""For how long at least an effect is kept beyond the retention of a task that is submitted now."""

_RESERVE = timedelta(days=1)
"""For how long it is kept beyond that, so that attempts of one day need not move its expiry on."""


class Effects:
    """Records what an attempt begins and what is answered, each while the attempt holds its task.

    The first answer that is recorded is the effect's answer for good. A first attempt writes at
    once, and learns from a refusal what was there. A later one reads first: a read costs less, and
    probably finds something.
    """

    def __init__(self, store: EffectStore, clock: Clock, retention: Retention, task: Task) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._task = task
        self._fence = task.fence
        self._answers: dict[str, str] = {}
        self._turns: dict[str, AbstractContextManager[Any]] = {}
        self._lock = Lock()
        self._writing = Lock()

    def once(self, key: str, call: Callable[[str], Any], *, unknown: Unknown) -> Any:
        """Return an effect's answer, as `TaskContext.once`.

        Raises:
            EffectUnknown: it was begun, has no answer, and must not be made again.
            BadAnswer: it was made, and its answer cannot be recorded.
            NotHeld: the attempt does not hold the task.
            ValueError: the key or `unknown` cannot be.
            TypeError: the call is no plain function.
        """
        check_key(key)
        check_call(call)
        check_unknown(unknown)
        with self._turn(key):
            if key not in self._answers:
                self._answers[key] = self._answer(key, call, unknown)
            return json.loads(self._answers[key])

    def _turn(self, key: str) -> AbstractContextManager[Any]:
        """Return what lets one thread at a time see to an effect."""
        with self._lock:
            # A call that uses its own key is refused like any other: its effect is unknown.
            return self._turns.setdefault(key, RLock())

    def _answer(self, key: str, call: Callable[[str], Any], unknown: Unknown) -> str:
        effect = self._begin(key, unknown)
        if effect.answer is not None:
            return effect.answer
        return self._end(replace(effect, answer=dump_answer(key, call(effect.idempotency_key))))

    def _begin(self, key: str, unknown: Unknown) -> Effect:
        """Record that an effect begins, and return it. Or return one that has an answer."""
        new = self._new(key)
        effect = self._left(new) or self._write(new)
        while effect.answer is None and effect.call_id != new.call_id:
            if unknown == "fail":
                self._keep(effect)
                raise unknown_effect(key, effect)
            effect = self._write(new, instead_of=effect)
        if effect.answer is not None:
            self._keep(effect)
        return effect

    def _end(self, effect: Effect) -> str:
        """Record an effect's answer, and return the one that is there then."""
        present = self._write(effect, instead_of=effect)
        while present.answer is None:
            # Another call has begun the effect as well: the answer is for both.
            present = self._write(effect, instead_of=present)
        return present.answer

    def _new(self, key: str) -> Effect:
        now = self._clock.now()
        return Effect(
            idempotency_key=idempotency_key(self._task.origin, self._task.processor, key),
            task_id=self._task.task_id,
            attempt=self._task.attempts,
            call_id=token_hex(8),
            begun_at=now,
            expires_at=(now + self._retention.period + LEAST + _RESERVE).replace(microsecond=0),
        )

    def _left(self, new: Effect) -> Effect | None:
        """Return what an earlier attempt or task recorded. None for the first of all."""
        if self._task.attempts == 1 and self._task.first_task is None:
            return None
        return self._store.get(new.idempotency_key)

    def _write(self, effect: Effect, *, instead_of: Effect | None = None) -> Effect:
        # All check the same task: side by side, one's transaction refuses another's. An answer that
        # is refused for too long is lost, and its effect unknown.
        with self._writing:
            return self._store.write(effect, self._fence, instead_of=instead_of)

    def _keep(self, effect: Effect) -> None:
        """Keep an effect for as long as its latest task."""
        least = self._clock.now() + self._retention.period + LEAST
        if effect.expires_at < least:
            self._store.keep(effect.idempotency_key, (least + _RESERVE).replace(microsecond=0))


class BadAnswer(OwnFault):
    """The call of an effect returned what is no JSON, or too much of it."""


def dump_answer(key: str, answer: Any) -> str:
    """Return the JSON of what the call of an effect returned.

    Args:
        key: the effect's key, for the error.
        answer: a dict whose names are texts, a list, a text, a number, a boolean, None, or a
            Pydantic model.

    Raises:
        BadAnswer: JSON cannot hold it, or it is too long.
    """
    try:
        document = json.dumps(_plain(answer), allow_nan=False, ensure_ascii=False)
        size_bytes = len(document.encode())
        json.loads(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise _bad(key, f"JSON cannot hold its answer ({_fault(error)})") from None
    if size_bytes > ANSWER_BYTES:
        raise _bad(key, f"its answer has {size_bytes} bytes as JSON, and may have {ANSWER_BYTES}")
    return document


def _plain(value: Any) -> Any:
    """Return a value with plain ones in the place of models."""
    if isinstance(value, BaseModel):
        # Pydantic's warnings quote the answer, and would be logged.
        return value.model_dump(mode="json", by_alias=True, warnings="none")
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _fault(error: Exception) -> str:
    """Return what is wrong, without what the answer holds."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it holds text that is no Unicode"
    if isinstance(error, TypeError):
        return "it holds a value of another type, or a name that is no text"
    return "it holds NaN, an infinity, or another value that JSON has not"


def _bad(key: str, fault: str) -> BadAnswer:
    message = f"The effect {key!r} may have happened, and cannot be recorded: {fault}."
    return BadAnswer(message)
