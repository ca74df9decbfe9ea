"""The tenants with most tasks, in bounded memory."""

from dataclasses import dataclass

from tandem.ids import TenantId


@dataclass(frozen=True, slots=True)
class Talker:
    """A tenant, and how many of its tasks finished."""

    tenant: TenantId
    tasks: int
    overcount: int = 0
    """By how much `tasks` may be too high. 0 while no more tenants than places were seen."""


class Talkers:
    """The tenants with most tasks, by the Space-Saving algorithm.

    Up to `places` tenants are counted exactly. With more, the smallest gives its place, and its
    count, to a newcomer: whoever has more than one in `places` of all tasks is certainly among
    them (Metwally, Agrawal, El Abbadi, 2005, https://doi.org/10.1007/978-3-540-30570-5_27).
    """

    def __init__(self, places: int = 256) -> None:
        self._places = places
        self._tasks: dict[TenantId, int] = {}
        self._overcount: dict[TenantId, int] = {}

    def add(self, tenant: TenantId, tasks: int = 1, overcount: int = 0) -> None:
        """Count a tenant's tasks."""
        known = self._tasks.get(tenant)
        if known is not None:
            self._tasks[tenant] = known + tasks
        elif len(self._tasks) < self._places:
            self._tasks[tenant] = tasks
        else:
            least = min(self._tasks, key=self._tasks.__getitem__)
            floor = self._tasks.pop(least)
            self._overcount.pop(least, None)
            self._tasks[tenant] = floor + tasks
            overcount += floor
        if overcount:
            self._overcount[tenant] = self._overcount.get(tenant, 0) + overcount

    def include(self, other: "Talkers") -> None:
        """Count what another counted."""
        for talker in other.most(self._places):
            self.add(talker.tenant, talker.tasks, talker.overcount)

    def most(self, number: int) -> tuple[Talker, ...]:
        """Return so many tenants, the one with most tasks first."""
        ranked = sorted(self._tasks.items(), key=lambda pair: (-pair[1], pair[0]))
        return tuple(
            Talker(tenant, tasks, self._overcount.get(tenant, 0))
            for tenant, tasks in ranked[:number]
        )
