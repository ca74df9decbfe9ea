"""Small doubles in memory: a clock, quotas, results, secrets and outside effects."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from tandem.clock import whole_milliseconds
from tandem.ids import TaskId, TenantId
from tandem.secrets import SecretsError
from tandem.tasks.results import CachedResult
from tandem.tasks.task import Fence
from tandem.tenants.quota import MoreThanBurst
from tandem.testing.store import MemoryTaskStore

if TYPE_CHECKING:
    from tandem.tasks.effects import Effect


class FakeClock:
    """Tells the time that a test set."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self._now = whole_milliseconds(start)

    def now(self) -> datetime:
        """Return the time that was set."""
        return self._now

    def advance(self, by: timedelta | float) -> datetime:
        """Move the time on by a duration, or by seconds, and return it."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self._now = whole_milliseconds(self._now + step)
        return self._now


class MemoryQuotaStore:
    """Keeps when each tenant's bucket will be full again. Safe for threads."""

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


class MemorySecretStore:
    """Keeps each secret's versions, the current one first."""

    def __init__(self, **secrets: str) -> None:
        self._versions = {name: (value,) for name, value in secrets.items()}

    def rotate(self, name: str, value: str) -> None:
        """Give a secret a new value. The one before stays valid."""
        self._versions[name] = (value, *self._versions.get(name, ()))[:2]

    def versions(self, name: str) -> tuple[str, ...]:
        """Return a secret's current value and the one before, or raise SecretsError."""
        if name not in self._versions:
            raise SecretsError(f"the secret {name} cannot be read: there is none of that name")
        return self._versions[name]

    def current(self, name: str, *, max_age_seconds: int) -> str:
        """Return a secret's current value, however short its age may be. Empty without any."""
        del max_age_seconds
        return self._versions.get(name, ("",))[0]


class MemoryEffectStore:
    """Keeps effects where the tasks are. Safe for threads."""

    def __init__(self, tasks: MemoryTaskStore) -> None:
        self._tasks = tasks

    def get(self, key: str) -> "Effect | None":
        """Return the effect of an idempotency key as last written, or None."""
        return self._tasks.effects.get(key)

    def write(
        self, effect: "Effect", fence: Fence, *, instead_of: "Effect | None" = None
    ) -> "Effect":
        """Record an effect, and return the record that is there then, or raise NotHeld."""
        from tandem.tasks.effects import NotHeld

        key = effect.idempotency_key
        with self._tasks.locked():
            if not self._tasks.holds(effect.task_id, fence):
                raise NotHeld
            present = self._tasks.effects.get(key)
            if present is None or (instead_of is not None and _open(present, instead_of.call_id)):
                self._tasks.effects[key] = effect
            return self._tasks.effects[key]

    def keep(self, key: str, until: datetime) -> None:
        """Keep an effect for so long at least."""
        with self._tasks.locked():
            effect = self._tasks.effects.get(key)
            if effect is not None and effect.expires_at < until:
                self._tasks.effects[key] = replace(effect, expires_at=until)


def _open(effect: "Effect", call_id: str) -> bool:
    return effect.call_id == call_id and effect.answer is None
