"""A view of the functions' AWS calls on their way to the emulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from tandem_tools.ports import LOOPBACK

_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Wire:
    """A proxy before the emulator that keeps which calls were made, and over how many connections.

    An SDK's attempts count each: what is kept is what was sent, not what was asked for.
    """

    def __init__(self, url: str, address: str) -> None:
        self.url = url
        self.emulator = address
        self.calls: list[str] = []
        self.connections: set[int] = set()
        """The clients' ports: each new connection has another."""
        self.sessions: set[str] = set()
        """The session tokens that calls were signed with."""

    def taken(self) -> list[str]:
        """Return the calls since the last time."""
        taken, self.calls = self.calls, []
        return taken


@contextmanager
def wire_to(endpoint_url: str) -> Iterator[Wire]:
    """Listen on a port of loopback for as long as the block runs."""
    server = _Server((LOOPBACK, 0), _Handler)
    server.wire = Wire(f"http://{LOOPBACK}:{server.server_port}", urlsplit(endpoint_url).netloc)
    thread = Thread(target=server.serve_forever, name="wire", daemon=True)
    thread.start()
    try:
        yield server.wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    wire: Wire


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.wire.connections.add(self.client_address[1])
        self._emulator = HTTPConnection(self.server.wire.emulator, timeout=60)

    def finish(self) -> None:
        self._emulator.close()
        super().finish()

    def _pass_on(self) -> None:
        # DynamoDB_20120810.PutItem, AmazonSQS.SendMessage; S3 has none.
        name = self.headers.get("X-Amz-Target", self.command).rpartition(".")[2]
        self.server.wire.calls.append(name)
        self.server.wire.sessions.add(self.headers.get("X-Amz-Security-Token", ""))
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {key: text for key, text in self.headers.items() if key.lower() != "connection"}
        self._emulator.request(self.command, self.path, body, headers)
        self._answer(self._emulator.getresponse())

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - named by http.server

    def _answer(self, response: HTTPResponse) -> None:
        content = response.read()
        self.send_response_only(response.status)
        for name, text in response.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
