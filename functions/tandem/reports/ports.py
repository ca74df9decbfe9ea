"""The ports of reports: their store, and the sinks that they are sent to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tandem.reports.counts import FinishedTask
from tandem.reports.report import Report, Totals
from tandem.reports.sink import SinkCursor
from tandem.reports.window import Window


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
        """Return the totals over all closed windows. None before the first was closed."""
        ...

    def close(
        self, report: Report, totals: Totals, *, previous: Window | None, closing: str
    ) -> bool:
        """Record a window's report and the new totals, both or neither.

        Args:
            report: of the window.
            totals: up to and with it.
            previous: the window that was closed last before it. None for the first ever.
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


class SinkFailed(Exception):
    """A sink did not take a window. The message says why, and holds no secret.

    The window is sent again by the next run, and no later one before it.
    """


class WindowRefused(SinkFailed):
    """A sink will not take a window, whenever it is sent: the next one is sent instead."""


class ReportSink(Protocol):
    """Takes closed windows, oldest first. What it is sent a second time it must know again."""

    @property
    def name(self) -> str:
        """Its name, the same for as long as it is the same sink."""
        ...

    def publish(self, report: Report, totals: Totals) -> None:
        """Send a window's report, and the totals up to and with it: the same each time.

        Raises:
            SinkFailed: it did not take it. Any other error means the same.
        """
        ...


class SinkStore(Protocol):
    """Keeps how far sinks are."""

    def cursors(self, sinks: Iterable[str]) -> dict[str, SinkCursor]:
        """Return the cursors of these sinks by name. A sink that is new has none."""
        ...

    def create(self, cursor: SinkCursor) -> None:
        """Record a new sink's cursor. One that is there already stays as it is."""
        ...

    def save(self, cursor: SinkCursor, *, writer: str) -> SinkCursor | None:
        """Record a cursor that was read and changed.

        Args:
            cursor: as it is to be.
            writer: an id of who writes, which no other has. The same call made again returns what
                the first did, whatever others wrote meanwhile.

        Returns:
            The cursor as it is to be changed next. None, and nothing is recorded, when another
            has written it since it was read.
        """
        ...


class Topic(Protocol):
    """Tells subscribers."""

    def publish(
        self, subject: str, texts: Mapping[str, str], attributes: Mapping[str, str | int]
    ) -> None:
        """Send one message.

        Args:
            subject: its title, for mail.
            texts: what it says, by the protocol of the subscriber; `default` for all others.
            attributes: by which subscribers can choose what they get.

        Raises:
            SinkFailed: it was not taken.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a POST."""

    status: int
    body: bytes
    """Its beginning."""


class Poster(Protocol):
    """Sends to URLs that the operator configured."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send one POST and return its answer, whatever its status. A redirect is one as well.

        Raises:
            Unreachable: there was no answer, or none in time.
        """
        ...
