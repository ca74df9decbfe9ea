"""The result cache in memory."""

from datetime import datetime

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
