"""Outside effects of one attempt, each made at most once for its chain of tasks."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex
from threading import Lock, RLock
from typing import Any

from tandem.clock import Clock
from tandem.processing.answer import dump_answer
from tandem.tasks.effect import (
    Effect,
    EffectStore,
    Unknown,
    check_call,
    check_key,
    check_unknown,
    idempotency_key,
    unknown_effect,
)
from tandem.tasks.retention import Retention
from tandem.tasks.task import Task

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
