"""Where report windows and totals are kept."""

from collections.abc import Iterator
from typing import Protocol

from tandem.domain.counts import FinishedTask
from tandem.domain.report import Report, Totals
from tandem.domain.window import Window


class ReportStore(Protocol):
    """Keeps the closed report windows and the running totals."""

    @property
    def shards(self) -> int:
        """How many parts the index of finished tasks has."""
        ...

    def finished_in(self, window: Window, shard: int) -> Iterator[FinishedTask]:
        """Yield every task of a part that finished in the window, in no order."""
        ...

    def count_finished_in(self, window: Window, shard: int) -> int:
        """Return how many `finished_in` would yield."""
        ...

    def totals(self) -> Totals | None:
        """Return the totals over all closed windows; None before the first was closed."""
        ...

    def close(self, report: Report, totals: Totals, *, previous: Window | None) -> bool:
        """Record a window's report and the new totals, both or neither.

        Returns whether it did: False when the window is closed already, or when `previous` is
        not the last closed window any more.
        """
        ...

    def reports(self, windows: list[Window]) -> list[Report]:
        """Return the closed ones of these windows, newest first."""
        ...

    def closed(self, windows: list[Window]) -> list[tuple[Report, Totals]]:
        """Return the closed ones of these windows with the totals of then, oldest first."""
        ...
