"""Sends callbacks over HTTPS, to the very address that was checked."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from http.client import HTTPException, HTTPSConnection
from threading import Event, Timer
from typing import Any

from tandem.domain.addresses import Network, may_be_called
from tandem.domain.callback_url import CallbackUrl
from tandem.ports import AddressForbidden, Answered, Unreachable

type _Found = tuple[Any, Any, int, str, Any]
"""What getaddrinfo finds: family, kind, protocol, canonical name, address."""

ADDRESSES = 4
"""How many of a name's addresses are tried."""


class HttpsSender:
    """Resolves a name once, refuses it if any of its addresses is forbidden, and connects to one.

    http.client is told the connected socket: it resolves nothing again, follows no redirect, and
    reads no proxy from the environment. The answer's body is not read.
    """

    def __init__(
        self,
        *,
        allowed: tuple[Network, ...] = (),
        connect_seconds: float,
        total_seconds: float,
        resolve: Callable[..., Sequence[_Found]] = socket.getaddrinfo,
    ) -> None:
        self._allowed = allowed
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._resolve = resolve

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def post(self, url: CallbackUrl, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send one POST and return its answer, or raise AddressForbidden or Unreachable."""
        addresses = self._checked_addresses(url)
        try:
            with closing(self._connect(addresses)) as tcp:
                return self._exchange(tcp, url, body, headers)
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

    def _checked_addresses(self, url: CallbackUrl) -> Sequence[_Found]:
        try:
            found = self._resolve(url.host, url.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable("its name has no address") from None
        for *_, address in found:
            if not may_be_called(address[0], self._allowed):
                raise AddressForbidden(f"its name has the address {address[0]}")
        return found[:ADDRESSES]

    def _connect(self, addresses: Sequence[_Found]) -> socket.socket:
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
        self, tcp: socket.socket, url: CallbackUrl, body: bytes, headers: Mapping[str, str]
    ) -> Answered:
        tls = self._tls.wrap_socket(tcp, server_hostname=url.host, do_handshake_on_connect=False)
        tls.settimeout(self._total_seconds)
        with closing(tls), _cut_after(self._total_seconds, tls):
            tls.do_handshake()
            connection = HTTPSConnection(url.host, url.port, context=self._tls)
            connection.sock = tls
            connection.auto_open = 0
            connection.request("POST", url.target, body, dict(headers))
            answer = connection.getresponse()
            return Answered(answer.status, answer.getheader("Retry-After"))


@contextmanager
def _cut_after(seconds: float, tls: ssl.SSLSocket) -> Iterator[None]:
    """Shut a connection down when its time is up, however busy it is; raise TimeoutError then.

    A socket's own timeout bounds each read, and so not a receiver that sends a byte at a time.
    """
    late = Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            # Not SSLSocket's: that takes the TLS state from under the thread that uses it.
            socket.socket.shutdown(tls, socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException):
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if late.is_set():
        # What was cut off reads like a whole answer with fewer headers.
        raise TimeoutError
