"""How much a tenant may submit."""

from datetime import timedelta

from tandem.domain.clock import Clock
from tandem.domain.ids import TenantId
from tandem.ports import MoreThanBurst, QuotaStore
from tandem.processing.context import Logger
from tandem.trace import described


class QuotaExceeded(Exception):
    """The tenant has used up its quota for now."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Quota:
    """The same rate for every tenant, shared by all who act for it; without one, no bound.

    A quota keeps tenants from each other. What cannot be counted is let through, and logged: a
    count that fails must not refuse work that could be recorded.
    """

    def __init__(
        self, store: QuotaStore, clock: Clock, *, per_second: float, burst: int, logger: Logger
    ) -> None:
        self._store = store
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._logger = logger

    def take(self, tenant: TenantId, tasks: int = 1) -> None:
        """Count tasks that a tenant submits.

        Raises:
            QuotaExceeded: it may not, for now; nothing was counted.
            MoreThanBurst: it may never submit so many at once; nothing was counted.
        """
        if not self._per_second:
            return
        missing = self._missing(tenant, tasks)
        if missing is not None:
            raise QuotaExceeded(missing)

    def _missing(self, tenant: TenantId, tasks: int) -> timedelta | None:
        try:
            return self._store.take(
                tenant,
                tasks,
                per_second=self._per_second,
                burst=self._burst,
                now=self._clock.now(),
            )
        except MoreThanBurst:
            raise
        except Exception as error:  # noqa: BLE001 - as the class says
            self._logger.error("quota not counted", **described(error))
            return None
