"""One POST in bounded time, to addresses that were resolved before."""

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Event, Timer
from typing import Any

from tandem.ports import Unreachable

type FoundAddress = tuple[Any, Any, int, str, Any]
"""What getaddrinfo finds: family, kind, protocol, canonical name, address."""

ADDRESSES = 4
"""How many of a name's addresses are tried."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a POST goes, but for its address."""

    host: str
    port: int
    path: str
    """With the query."""
    secure: bool = True


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer, whatever its status."""

    status: int
    retry_after: str | None
    body: bytes


class BoundedHttp:
    """Connects to one of the addresses that it is given, and is done in time.

    http.client is told the connected socket: it resolves nothing again, follows no redirect, and
    reads no proxy from the environment.
    """

    def __init__(self, *, connect_seconds: float, total_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def post(
        self,
        addresses: Sequence[FoundAddress],
        target: Target,
        body: bytes,
        headers: Mapping[str, str],
        *,
        answer_bytes: int = 0,
    ) -> RawAnswer:
        """Send one POST and return its answer, with so much of its body.

        Raises:
            Unreachable: there was no answer, or none in time.
        """
        try:
            with closing(self._connect(addresses[:ADDRESSES])) as tcp:
                return self._exchange(tcp, target, body, headers, answer_bytes)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"its certificate is not valid: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise Unreachable(f"TLS failed: {error.reason or 'the connection ended'}") from None
        except TimeoutError:
            raise Unreachable(f"no answer within {self._total_seconds:.3g} s") from None
        except HTTPException:
            raise Unreachable("the answer is not HTTP") from None
        except OSError as error:
            raise Unreachable(f"the connection failed: {error.strerror or 'it ended'}") from None
        except Exception as error:  # noqa: BLE001 - what a receiver sends may break any parser
            raise Unreachable(f"the exchange failed: {type(error).__name__}") from None

    def _connect(self, addresses: Sequence[FoundAddress]) -> socket.socket:
        """Return a connection to the first address that takes one."""
        failed: OSError = TimeoutError()
        for family, kind, protocol, _, address in addresses:
            tcp = socket.socket(family, kind, protocol)
            tcp.settimeout(self._connect_seconds)
            try:
                tcp.connect(address)
            except OSError as error:
                tcp.close()
                failed = error
            else:
                return tcp
        raise failed

    def _exchange(
        self,
        tcp: socket.socket,
        target: Target,
        body: bytes,
        headers: Mapping[str, str],
        answer_bytes: int,
    ) -> RawAnswer:
        connected = self._secured(tcp, target) if target.secure else tcp
        connected.settimeout(self._total_seconds)
        with closing(connected), _cut_after(self._total_seconds, connected):
            if isinstance(connected, ssl.SSLSocket):
                connected.do_handshake()
            connection = HTTPConnection(target.host, target.port)
            # What the header Host leaves out.
            connection.default_port = 443 if target.secure else 80
            connection.sock = connected
            connection.auto_open = 0
            connection.request("POST", target.path, body, dict(headers))
            answer = connection.getresponse()
            retry_after = answer.getheader("Retry-After")
            return RawAnswer(answer.status, retry_after, _start_of(answer, answer_bytes))

    def _secured(self, tcp: socket.socket, target: Target) -> ssl.SSLSocket:
        return self._tls.wrap_socket(
            tcp, server_hostname=target.host, do_handshake_on_connect=False
        )


def _start_of(answer: HTTPResponse, most_bytes: int) -> bytes:
    """Return the first bytes of an answer's body.

    Each piece is at most what a buffer holds. `HTTPResponse.read` reads a chunk of a negative size
    to the end of the connection.
    """
    start = b""
    while len(start) < most_bytes and (piece := answer.read1(most_bytes - len(start))):
        start += piece
    return start[:most_bytes]


@contextmanager
def _cut_after(seconds: float, connected: socket.socket) -> Iterator[None]:
    """Shut a connection down when its time is up, however busy it is; raise TimeoutError then.

    A socket's own timeout bounds each read, and so not a receiver that sends a byte at a time.
    """
    late = Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            # Not SSLSocket's: that takes the TLS state from under the thread that uses it.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if late.is_set():
        # What was cut off reads like a whole answer with fewer headers.
        raise TimeoutError
