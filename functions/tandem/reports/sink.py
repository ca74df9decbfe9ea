"""The state of a sink: the windows that it has, and who sends to it now."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from tandem.reports.window import WINDOW, Window

ERROR_CHARACTERS = 200
"""What is kept of the reason why a sink failed."""

_WRITERS = 4
"""How many of those that wrote last a cursor remembers: runs overlap seldom, and two at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCursor:
    """What a sink has got of the closed windows: all of them, up to and with one.

    Whoever sends to it claims it first, for a while, so that two runs do not send the same window.
    Every write is refused where someone else has written since (`version`): a run that lost its
    claim, however long it hung, moves nothing any more.
    """

    sink: str
    published_through: Window
    failures: int = 0
    """How often in a row it failed."""
    failing_since: datetime | None = None
    error: str | None = None
    """Why it failed last. None when it did not."""
    claimed_until: datetime | None = None
    version: int = 0
    writers: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    """Who wrote it last, and which version each of them wrote last. The newest comes last."""

    def saved(self, writer: str) -> "SinkCursor":
        """Return the next version of the cursor, as this writer writes it."""
        version = self.version + 1
        others = [pair for pair in self.writers if pair[0] != writer]
        writers = (*others, (writer, version))[-_WRITERS:]
        return replace(self, version=version, writers=writers)

    def has(self, saved: "SinkCursor") -> bool:
        """Return whether a version was written: this one is it, or came after it."""
        return saved.writers[-1] in self.writers

    def is_free(self, now: datetime) -> bool:
        """Return whether nobody sends to it, or whoever did is gone."""
        return self.claimed_until is None or self.claimed_until <= now

    def claimed(self, until: datetime) -> "SinkCursor":
        """Return the cursor of a sink that someone sends to."""
        return replace(self, claimed_until=until)

    def released(self) -> "SinkCursor":
        """Return the cursor of a sink that nobody sends to any more."""
        return replace(self, claimed_until=None)

    def published(self, window: Window, *, until: datetime | None) -> "SinkCursor":
        """Return the cursor of a sink that took one more window. None for `until` releases it."""
        taken = replace(self, published_through=window, claimed_until=until)
        return replace(taken, failures=0, failing_since=None, error=None)

    def failed(self, error: str, now: datetime) -> "SinkCursor":
        """Return the cursor of a sink that did not take a window, released."""
        return replace(
            self,
            failures=self.failures + 1,
            failing_since=self.failing_since or now,
            error=error[:ERROR_CHARACTERS],
            claimed_until=None,
        )

    def without(self, through: Window, *, until: datetime | None) -> "SinkCursor":
        """Return the cursor of a sink that will not get the windows up to and with one."""
        return replace(self, published_through=through, claimed_until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """How a sink stands, as a report shows it."""

    name: str
    published_through: Window
    windows_behind: int
    """How many closed windows it has not got."""
    failures: int
    failing_since: datetime | None
    error: str | None

    @staticmethod
    def of(cursor: SinkCursor, closed_through: Window) -> "SinkState":
        """Return how a sink stands when windows are closed up to and with one."""
        behind = (closed_through.start - cursor.published_through.start) // WINDOW
        return SinkState(
            name=cursor.sink,
            published_through=cursor.published_through,
            windows_behind=max(behind, 0),
            failures=cursor.failures,
            failing_since=cursor.failing_since,
            error=cursor.error,
        )


def most_behind(sinks: Iterable[SinkState]) -> int:
    """Return how many windows the last of the sinks has not got."""
    return max((sink.windows_behind for sink in sinks), default=0)
