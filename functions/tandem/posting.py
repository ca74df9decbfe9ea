"""HTTPS POSTs in bounded time, to addresses that were resolved before.

Callbacks go to the very address that was checked. Reports go to the operator's own URLs.
"""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Event, Timer
from typing import Any
from urllib.parse import urlsplit

from tandem.callbacks.ports import AddressForbidden, Answered, Unreachable
from tandem.callbacks.url import CallbackUrl, Network, may_be_called
from tandem.reports.ports import Reply

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
            raise Unreachable(f"its certificate is not valid: {_why_not(error)}") from None
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


def _why_not(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate is not valid, without the name that was asked for: it is logged."""
    said, _, _ = error.verify_message.partition(" for '")
    return said


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
    """Shut a connection down when its time is up, however busy it is. Raise TimeoutError then.

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


ANSWER_BYTES = 64 * 1024
"""How much of an answer is read."""

_PORTS = {"http": 80, "https": 443}


class OperatorPoster:
    """Posts to http and https URLs, wherever they lead: who configures them may reach all of it."""

    def __init__(self, *, connect_seconds: float, total_seconds: float) -> None:
        self._http = BoundedHttp(connect_seconds=connect_seconds, total_seconds=total_seconds)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send one POST and return its answer, whatever its status, or raise Unreachable."""
        target = _target(url)
        try:
            addresses = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except Exception:  # noqa: BLE001 - OSError, and others for what is no name
            raise Unreachable("its name has no address") from None
        answer = self._http.post(addresses, target, body, headers, answer_bytes=ANSWER_BYTES)
        return Reply(answer.status, answer.body)


def _target(url: str) -> Target:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise Unreachable("its URL is not one of http or https") from None
    query = f"?{parts.query}" if parts.query else ""
    path = (parts.path or "/") + query
    return Target(parts.hostname or "", port, path, secure=parts.scheme == "https")


class HttpsSender:
    """Resolves a name once, refuses it if any of its addresses is forbidden, and connects to one.

    Nothing is resolved again, and no redirect is followed. The answer's body is not read.
    """

    def __init__(
        self,
        *,
        allowed: tuple[Network, ...] = (),
        connect_seconds: float,
        total_seconds: float,
        resolve: Callable[..., Sequence[FoundAddress]] = socket.getaddrinfo,
    ) -> None:
        self._allowed = allowed
        self._http = BoundedHttp(connect_seconds=connect_seconds, total_seconds=total_seconds)
        self._resolve = resolve

    def post(self, url: CallbackUrl, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send one POST and return its answer, or raise AddressForbidden or Unreachable."""
        target = Target(url.host, url.port, url.target)
        answer = self._http.post(self._checked_addresses(url), target, body, headers)
        return Answered(answer.status, answer.retry_after)

    def _checked_addresses(self, url: CallbackUrl) -> Sequence[FoundAddress]:
        try:
            found = self._resolve(url.host, url.port, type=socket.SOCK_STREAM)
        except Exception:  # noqa: BLE001 - OSError, and others for what is no name
            raise Unreachable("its name has no address") from None
        for *_, address in found:
            if not may_be_called(address[0], self._allowed):
                # Its owner is not told which: a name may resolve to what only this network knows.
                raise AddressForbidden("its name has an address that must not be called")
        return found
