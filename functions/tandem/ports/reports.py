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

    def close(
        self, report: Report, totals: Totals, *, previous: Window | None, closing: str
    ) -> bool:
        """Record a window's report and the new totals, both or neither.

        Args:
            report: of the window.
            totals: up to and with it.
            previous: the window that was closed last before it; None for the first ever.
            closing: an id of this closing, of at most 36 characters, that no other has. The same
                call made again returns what the first did, whatever was written meanwhile.

        Returns:
            Whether it did: False when another has closed the window, or when `previous` is not
            the last closed window any more.
        """
        ...

    def reports(self, windows: list[Window]) -> list[Report]:
        """Return the closed ones of these windows, newest first."""
        ...

    def closed(self, windows: list[Window]) -> list[tuple[Report, Totals]]:
        """Return the closed ones of these windows with the totals of then, oldest first."""
        ...
