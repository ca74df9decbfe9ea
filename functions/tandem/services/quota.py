"""How much a tenant may submit."""

from datetime import timedelta

from tandem.domain.clock import Clock
from tandem.domain.ids import TenantId
from tandem.ports import QuotaStore


class QuotaExceeded(Exception):
    """The tenant has used up its quota for now."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Quota:
    """The same rate for every tenant, shared by all who act for it; without one, no bound."""

    def __init__(self, store: QuotaStore, clock: Clock, *, per_second: float, burst: int) -> None:
        self._store = store
        self._clock = clock
        self._per_second = per_second
        self._burst = burst

    def take(self, tenant: TenantId, tasks: int = 1) -> None:
        """Count tasks that a tenant submits.

        Raises:
            QuotaExceeded: it may not, for now; nothing was counted.
            MoreThanBurst: it may never submit so many at once; nothing was counted.
        """
        if not self._per_second:
            return
        missing = self._store.take(
            tenant,
            tasks,
            per_second=self._per_second,
            burst=self._burst,
            now=self._clock.now(),
        )
        if missing is not None:
            raise QuotaExceeded(missing)
