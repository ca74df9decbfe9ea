"""Quotas in memory."""

from datetime import datetime, timedelta
from threading import Lock

from tandem.domain.ids import TenantId
from tandem.ports import MoreThanBurst


class MemoryQuotaStore:
    """Keeps when each tenant's bucket will be full again; safe for threads."""

    def __init__(self) -> None:
        self._full_at: dict[TenantId, datetime] = {}
        self._lock = Lock()

    def take(
        self, tenant: TenantId, tokens: int, *, per_second: float, burst: int, now: datetime
    ) -> timedelta | None:
        """Take tokens, or return how long they will be missing, or raise MoreThanBurst."""
        if tokens > burst:
            raise MoreThanBurst(burst)
        cost = timedelta(seconds=tokens / per_second)
        with self._lock:
            full_at = max(now, self._full_at.get(tenant, now)) + cost
            missing = full_at - now - timedelta(seconds=burst / per_second)
            if missing > timedelta(0):
                return missing
            self._full_at[tenant] = full_at
            return None
