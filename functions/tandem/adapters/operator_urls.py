"""Sends to URLs that the operator configured."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from tandem.adapters.bounded_http import BoundedHttp, Target
from tandem.ports import Reply, Unreachable

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
