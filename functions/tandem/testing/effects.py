"""Outside effects in memory, beside the tasks of a `MemoryTaskStore`."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from tandem.domain.task import Fence
from tandem.testing.store import MemoryTaskStore

if TYPE_CHECKING:
    from tandem.domain.effect import Effect


class MemoryEffectStore:
    """Keeps effects where the tasks are; safe for threads."""

    def __init__(self, tasks: MemoryTaskStore) -> None:
        self._tasks = tasks

    def get(self, key: str) -> "Effect | None":
        """Return the effect of an idempotency key as last written, or None."""
        return self._tasks.effects.get(key)

    def write(
        self, effect: "Effect", fence: Fence, *, instead_of: "Effect | None" = None
    ) -> "Effect":
        """Record an effect, and return the record that is there then, or raise NotHeld."""
        from tandem.ports.effects import NotHeld

        key = effect.idempotency_key
        with self._tasks.locked():
            if not self._tasks.holds(effect.task_id, fence):
                raise NotHeld
            present = self._tasks.effects.get(key)
            if present is None or (instead_of is not None and _open(present, instead_of.call_id)):
                self._tasks.effects[key] = effect
            return self._tasks.effects[key]

    def keep(self, key: str, until: datetime) -> None:
        """Keep an effect for so long at least."""
        with self._tasks.locked():
            effect = self._tasks.effects.get(key)
            if effect is not None and effect.expires_at < until:
                self._tasks.effects[key] = replace(effect, expires_at=until)


def _open(effect: "Effect", call_id: str) -> bool:
    return effect.call_id == call_id and effect.answer is None
