"""HTTP/1.1 messages as the bytes that came, for a proxy that changes none of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_PIECE_BYTES = 64 * 1024
_NO_BODY = frozenset({204, 304})
_END = b"\r\n"


class BrokenMessage(ConnectionError):
    """The connection ended within a message."""


@dataclass(frozen=True, slots=True)
class Head:
    """A message up to its body."""

    start: str
    """The request line or the status line."""
    raw: tuple[bytes, ...]
    """Every line as it came, the empty one at the end among them."""
    fields: dict[str, str]
    """The headers, by names in lower case."""

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.start.partition(" ")[0]

    @property
    def target(self) -> str:
        """The path and query of a request."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.start.split(" ")[1])

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.fields.get("transfer-encoding", "").lower() == "chunked"

    @property
    def closes(self) -> bool:
        """Whether its sender ends the connection after it."""
        return self.fields.get("connection", "").lower() == "close"

    def to_bytes(self, *, without: frozenset[str] = frozenset()) -> bytes:
        """Return it as it came, but for headers that are left out."""
        kept = (line for line in self.raw if _name(line) not in without)
        return b"".join(kept)


def read_head(stream: BinaryIO) -> Head | None:
    """Return the next message's head. None when the connection ends before it.

    Raises:
        BrokenMessage: it ends within.
    """
    start = stream.readline()
    if not start:
        return None
    lines = [start]
    while lines[-1] != _END:
        lines.append(_line(stream))
    fields: dict[str, str] = {}
    for line in lines[1:-1]:
        fields[_name(line)] = line.partition(b":")[2].strip().decode("latin-1")
    return Head(start.decode("latin-1").strip(), tuple(lines), fields)


def request_body(head: Head, stream: BinaryIO) -> Iterator[bytes]:
    """Return the bytes of a request's body as they come, chunk sizes among them."""
    return _chunks(stream) if head.chunked else _counted(stream, _length(head) or 0)


def response_body(head: Head, stream: BinaryIO, method: str) -> Iterator[bytes]:
    """Return the bytes of a response's body as they come, chunk sizes among them."""
    if method == "HEAD" or head.status in _NO_BODY:
        return iter(())
    if head.chunked:
        return _chunks(stream)
    length = _length(head)
    return _rest(stream) if length is None else _counted(stream, length)


def without_chunks(body: bytes) -> bytes:
    """Return the content of a body that came in chunks."""
    content = b""
    while body:
        size_line, _, rest = body.partition(_END)
        size = int(size_line.partition(b";")[0], base=16)
        if not size:
            break
        content += rest[:size]
        body = rest[size + len(_END) :]
    return content


def _name(line: bytes) -> str:
    return line.partition(b":")[0].strip().decode("latin-1").lower()


def _length(head: Head) -> int | None:
    length = head.fields.get("content-length")
    return None if length is None else int(length)


def _counted(stream: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        piece = _exactly(stream, min(left, _PIECE_BYTES))
        left -= len(piece)
        yield piece


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        size_line = _line(stream)
        yield size_line
        size = int(size_line.partition(b";")[0], base=16)
        if not size:
            break
        yield from _counted(stream, size)
        yield _exactly(stream, len(_END))
    line = b""
    while line != _END:  # trailers
        line = _line(stream)
        yield line


def _rest(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise BrokenMessage
    return line


def _exactly(stream: BinaryIO, size: int) -> bytes:
    piece = stream.read(size)
    if len(piece) < size:
        raise BrokenMessage
    return piece
