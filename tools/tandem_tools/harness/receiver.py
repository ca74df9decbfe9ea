"""A receiver of POSTs: a server on loopback, with TLS and an authority of its own."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

import trustme

from tandem_tools.run.authority import TlsServer


@dataclass(frozen=True)
class Request:
    """A request as the receiver got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Keeps what it gets and answers as it is told, for as long as the `with` block runs.

    Example:
        with Receiver("127.0.0.1", "hooks.test") as receiver:
            receiver.answer = lambda handler: handler.send_response(500)
    """

    def __init__(self, address: str, name: str | None = None, *, secure: bool = True) -> None:
        """Take a free port of an address, with a certificate for it or for a name, or without."""
        self.requests: list[Request] = []
        self.names: list[str | None] = []
        """What each connection's client took it for (server name indication)."""
        self.answer: Callable[[BaseHTTPRequestHandler], Any] = answer_with(204)
        self.authority = trustme.CA()
        self.address = address
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name or address).configure_cert(context)
        context.sni_callback = lambda _socket, given, _context: self.names.append(given)
        self._scheme = "https" if secure else "http"
        self._server = TlsServer((address, 0), self._handler(), context if secure else None)
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """Its address, as the certificate names it when no name was given."""
        return f"{self._scheme}://{self.address}:{self.port}"

    def write_authority(self, path: Path) -> Path:
        """Write the certificate of the authority that a client must trust, and return its path."""
        self.authority.cert_pem.write_to_path(path)
        return path

    def __enter__(self) -> Self:
        """Start to answer."""
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Request(self.command, self.path, headers, body))
                receiver.answer(self)

            def log_message(self, *_: Any) -> None:
                return

        return Handler


def answer_with(
    status: int, body: bytes = b"", **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer for `Receiver.answer`. `retry_after` is the header Retry-After."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer
