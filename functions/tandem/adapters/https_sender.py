"""Sends callbacks over HTTPS, to the very address that was checked."""

import socket
from collections.abc import Callable, Mapping, Sequence

from tandem.adapters.bounded_http import BoundedHttp, FoundAddress, Target
from tandem.domain.addresses import Network, may_be_called
from tandem.domain.callback_url import CallbackUrl
from tandem.ports import AddressForbidden, Answered, Unreachable


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
