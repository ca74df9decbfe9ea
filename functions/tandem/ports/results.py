"""Where outputs are kept for the same input again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tandem.domain.ids import TaskId
from tandem.domain.task import Payload, StoredPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedResult:
    """What a run gave."""

    task_id: TaskId
    output: Payload
    file: StoredPayload | None
    made_at: datetime
    expires_at: datetime


class ResultCache(Protocol):
    """Keeps results by their keys; may forget any at any time."""

    def get(self, key: str, now: datetime) -> CachedResult | None:
        """Return what is kept under a key and has not expired."""
        ...

    def put(self, key: str, result: CachedResult) -> None:
        """Keep a result, in place of an older one."""
        ...

    def forget(self, key: str, task_id: TaskId) -> None:
        """Remove what is kept under a key when it is that task's result."""
        ...
