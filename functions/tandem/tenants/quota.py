"""Quotas: how many tasks a tenant may submit."""

from datetime import datetime, timedelta
from typing import Protocol

from tandem.clock import Clock
from tandem.ids import TenantId
from tandem.processing.context import Logger
from tandem.trace import described


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

        Returns None when they were there. Else nothing was taken, and they are after this time.

        Raises:
            MoreThanBurst: they never will be. Nothing was taken.
        """
        ...


class QuotaExceeded(Exception):
    """The tenant has used up its quota for now."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Quota:
    """The same rate for every tenant, shared by all who act for it. Without one, no bound.

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
            QuotaExceeded: it may not, for now. Nothing was counted.
            MoreThanBurst: it may never submit so many at once. Nothing was counted.
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
