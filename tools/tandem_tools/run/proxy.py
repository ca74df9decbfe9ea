"""The way in: a loopback server that stands where the API's own host name stands on AWS.

The emulator serves a deployed HTTP API below a path of its own. Clients expect it at the root.
Everything else passes through as it came: method, path, query, headers, body and status.
"""

import http.client
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tandem_tools.ports import LOOPBACK

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    },
)
UPSTREAM_TIMEOUT_SECONDS = 60
STOP_NOTICED_WITHIN_SECONDS = 0.05


class Proxy:
    """Serves `http://127.0.0.1:<port>/…` from one API of the emulator."""

    def __init__(self, port: int, upstream_port: int, api_id: str) -> None:
        """Bind the port. Requests are answered from `start` on."""
        prefix = f"/_aws/execute-api/{api_id}/$default"

        class Handler(_Handler):
            upstream = (LOOPBACK, upstream_port)
            path_prefix = prefix

        self._server = _Server((LOOPBACK, port), Handler)
        self._thread = Thread(
            target=self._server.serve_forever,
            args=[STOP_NOTICED_WITHIN_SECONDS],
            name="proxy",
            daemon=True,
        )
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    upstream: tuple[str, int]
    path_prefix: str

    def _forward(self) -> None:
        body = self._body()
        connection = http.client.HTTPConnection(*self.upstream, timeout=UPSTREAM_TIMEOUT_SECONDS)
        try:
            self._send(connection, body)
            response = connection.getresponse()
            self._answer(response.status, response.getheaders(), response.read())
        except (OSError, http.client.HTTPException) as error:
            self._answer(502, [], f"The emulator does not answer: {error}\n".encode())
        finally:
            connection.close()

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], base=16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def _send(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        connection.putrequest(
            self.command,
            self.path_prefix + self.path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                connection.putheader(name, value)
        if body or "content-length" in self.headers:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        has_length = False
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
                has_length = has_length or name.lower() == "content-length"
        if not has_length:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the functions' own logs name every request."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Return what http.server looks up for a method, as `do_GET`: each goes the same way."""
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)
