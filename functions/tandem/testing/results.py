"""The result cache in memory."""

from datetime import datetime

from tandem.domain.ids import TaskId
from tandem.ports import CachedResult


class MemoryResultCache:
    """Keeps results in a dictionary."""

    def __init__(self) -> None:
        self._results: dict[str, CachedResult] = {}

    def get(self, key: str, now: datetime) -> CachedResult | None:
        """Return what is kept under a key and has not expired."""
        result = self._results.get(key)
        return result if result is not None and result.expires_at > now else None

    def put(self, key: str, result: CachedResult) -> None:
        """Keep a result, in place of an older one."""
        self._results[key] = result

    def forget(self, key: str, task_id: TaskId) -> None:
        """Remove what is kept under a key when it is that task's result."""
        if key in self._results and self._results[key].task_id == task_id:
            del self._results[key]
