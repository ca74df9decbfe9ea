"""Where quotas are kept."""

from datetime import datetime, timedelta
from typing import Protocol

from tandem.domain.ids import TenantId


class MoreThanBurst(Exception):
    """More tokens were asked for at once than a bucket ever holds: waiting does not help."""

    def __init__(self, burst: int) -> None:
        super().__init__(burst)
        self.burst = burst


class QuotaStore(Protocol):
    """Keeps how much of its quota each tenant has used: a token bucket that all callers share."""

    def take(
        self, tenant: TenantId, tokens: int, *, per_second: float, burst: int, now: datetime
    ) -> timedelta | None:
        """Take tokens from a tenant's bucket.

        Returns None when they were there; else nothing was taken, and they are after this time.

        Raises:
            MoreThanBurst: they never will be; nothing was taken.
        """
        ...
