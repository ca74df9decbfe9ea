"""Where outside effects of tasks are recorded.

`tandem.ports` does not export it: every start imports that package, and few tasks make an effect.
"""

from datetime import datetime
from typing import Protocol

from tandem.domain.effect import Effect
from tandem.domain.task import Fence


class NotHeld(Exception):
    """The attempt does not hold its task any more; nothing was recorded."""


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
