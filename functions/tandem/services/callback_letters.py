"""Giving callbacks another chance that were given up."""

from dataclasses import replace

from tandem.domain.callback import CallbackState
from tandem.ports import CallbackStore
from tandem.services.callbacks import Callbacks
from tandem.services.dead_letters import Letter, Redrive, Redriven


class CallbackRemedy:
    """Sends the callback of a letter's task again, from its first attempt on."""

    def __init__(self, store: CallbackStore, callbacks: Callbacks) -> None:
        self._store = store
        self._callbacks = callbacks

    def plan(self, one: Letter) -> Redriven:
        """Return what would become of a letter."""
        if one.task is None or one.task.callback is None or not one.task.state.final:
            return Redriven(one.letter, Redrive.KEPT, None)
        return Redriven(one.letter, Redrive.SENT_AGAIN, one.task.task_id)

    def carry_out(
        self, one: Letter, plan: Redriven, *, requested_by: str, traceparent: str
    ) -> Redriven:
        """Send it, now or by the sweep, and return what became of the letter."""
        del requested_by, traceparent
        task = one.task
        if task is None or task.callback is None:
            return replace(plan, done=Redrive.KEPT)
        fresh = replace(task.callback, state=CallbackState.PENDING, attempts=0)
        self._store.reopen(task.task_id, fresh)
        self._callbacks.ended(task)
        return plan
