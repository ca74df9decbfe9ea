"""A service of rates that refuses the first request for each, and the settings that lead to it."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

SEEN: set[str] = set()


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b""
        if self.headers["Authorization"] != "Bearer key-of-the-tests":
            self.send_response(401)
        elif self.path not in SEEN:
            self.send_response(429)
        else:
            self.send_response(200)
            body = b'{"euros": 0.5}'
        SEEN.add(self.path)
        self.send_header("Retry-After", "2")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def processor_settings() -> Iterator[dict[str, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "RATES_KEY": "key-of-the-tests",
        "RATES_URL": f"http://127.0.0.1:{server.server_port}",
    }
    server.shutdown()
    server.server_close()
