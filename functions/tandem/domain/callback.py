"""What a task's owner is told when it has ended, and how far that is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tandem.domain.ids import TaskId, TenantId


class CallbackState(StrEnum):
    """Where a callback is."""

    PENDING = "pending"
    """The task runs still, or the receiver has not taken the callback yet."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was given up, and is a dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Whom a task's end is told."""

    url: str
    state: CallbackState = CallbackState.PENDING
    attempts: int = 0
    """How often it was sent, since the task ended or an operator redrove it."""
    delivered_at: datetime | None = None
    error: str | None = None
    """Why the latest attempt did not deliver it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCallback:
    """What a sweep needs to know of a callback that the queue was not given."""

    task_id: TaskId
    tenant: TenantId
    traceparent: str | None = None
