"""A task's callback, and how far it is."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from secrets import token_hex

from tandem.ids import TaskId, TenantId


class CallbackState(StrEnum):
    """Where a callback is."""

    PENDING = "pending"
    """The task runs still, or the receiver has not taken the callback yet."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was given up, and waits on the list of failed callbacks for a decision."""


class GivenUp(StrEnum):
    """Why a callback was given up."""

    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    """Its receiver took it at no attempt."""
    GONE = "gone"
    """Its receiver answered that it takes none any more."""
    FORBIDDEN_ADDRESS = "forbidden-address"
    """Its receiver has an address that callbacks are not sent to."""


def _new_write_id() -> str:
    return token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where a task's end is told, and how far that is."""

    url: str
    state: CallbackState = CallbackState.PENDING
    attempts: int = 0
    """How often it was sent, since the task ended or an operator redrove it."""
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    """When it was given up."""
    reason: GivenUp | None = None
    """Why it was given up."""
    error: str | None = None
    """Why the latest attempt did not deliver it."""
    write_id: str | None = field(default=None, compare=False)
    """Of the write that made it so. A refusal that shows one's own id is a success."""

    def delivered(self, now: datetime) -> "Callback":
        """Return it after an attempt that the receiver took."""
        return Callback(
            url=self.url,
            state=CallbackState.DELIVERED,
            attempts=self.attempts + 1,
            delivered_at=now,
            write_id=_new_write_id(),
        )

    def refused(self, error: str) -> "Callback":
        """Return it after an attempt that is to be followed by another."""
        return replace(self, attempts=self.attempts + 1, error=error, write_id=_new_write_id())

    def given_up(self, reason: GivenUp, error: str, now: datetime) -> "Callback":
        """Return it after its last attempt."""
        return replace(
            self.refused(error), state=CallbackState.FAILED, failed_at=now, reason=reason
        )

    def reopened(self) -> "Callback":
        """Return it as it was before its first attempt."""
        return Callback(url=self.url, write_id=_new_write_id())

    def may_become(self, callback: "Callback", *, seen: "Callback") -> bool:
        """Return whether a write may record what an attempt, made as of `seen`, has led to.

        A delivery is a fact: it is recorded whatever else was written meanwhile.
        """
        if callback.state is CallbackState.DELIVERED:
            return self.state is not CallbackState.DELIVERED
        return self.state is CallbackState.PENDING and self.write_id == seen.write_id


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCallback:
    """What a sweep needs to know of a callback that the queue was not given."""

    task_id: TaskId
    tenant: TenantId
    traceparent: str | None = None
