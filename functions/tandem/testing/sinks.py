"""Sinks of reports, how far they are, and what they send with, in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from tandem.reports.ports import Reply
from tandem.reports.report import Report, Totals
from tandem.reports.sink import SinkCursor


class MemorySinkStore:
    """Keeps cursors in a dictionary. Safe for threads."""

    def __init__(self) -> None:
        self._cursors: dict[str, SinkCursor] = {}
        self._lock = Lock()

    def cursors(self, sinks: Iterable[str]) -> dict[str, SinkCursor]:
        """Return the cursors of these sinks by name. A sink that is new has none."""
        return {sink: self._cursors[sink] for sink in sinks if sink in self._cursors}

    def create(self, cursor: SinkCursor) -> None:
        """Record a new sink's cursor. One that is there already stays as it is."""
        with self._lock:
            self._cursors.setdefault(cursor.sink, cursor)

    def save(self, cursor: SinkCursor, *, writer: str) -> SinkCursor | None:
        """Record a changed cursor and return its next version. None when another was faster."""
        with self._lock:
            kept, saved = self._cursors.get(cursor.sink), cursor.saved(writer)
            if kept is None or kept.version != cursor.version:
                return saved if kept is not None and kept.has(saved) else None
            self._cursors[cursor.sink] = saved
            return saved


class MemorySink:
    """Keeps what it is sent. Fails as often as a test says.

    Example:
        sink.errors = [SinkFailed("it is down")]
    """

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.published: list[tuple[Report, Totals]] = []
        self.errors: list[Exception] = []

    def publish(self, report: Report, totals: Totals) -> None:
        """Keep a window, or raise what comes next."""
        if self.errors:
            raise self.errors.pop(0)
        self.published.append((report, totals))


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that subscribers got."""

    subject: str
    texts: Mapping[str, str]
    attributes: Mapping[str, str | int]


class MemoryTopic:
    """Keeps what subscribers get."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def publish(
        self, subject: str, texts: Mapping[str, str], attributes: Mapping[str, str | int]
    ) -> None:
        """Keep the message."""
        self.notices.append(Notice(subject, texts, attributes))


@dataclass(frozen=True, slots=True)
class PostedReport:
    """A POST to a URL of the operator's."""

    url: str
    body: bytes
    headers: Mapping[str, str]


class MemoryPoster:
    """Keeps what is sent. Answers in turn as a test says, and 200 when that is used up."""

    def __init__(self) -> None:
        self.posts: list[PostedReport] = []
        self.answers: list[Reply | Exception] = []

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Keep the POST, and answer or raise what comes next."""
        self.posts.append(PostedReport(url, body, headers))
        answer = self.answers.pop(0) if self.answers else Reply(200, b"")
        if isinstance(answer, Exception):
            raise answer
        return answer
