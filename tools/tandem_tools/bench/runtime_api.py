"""Lambda's Runtime API for one process, in this process: it adds nothing to what is measured.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from tandem_tools.ports import LOOPBACK

ANSWER_WITHIN_SECONDS = 600
"""A function runs some fifty times slower under valgrind."""


class InvocationFailed(Exception):
    """The function raised, or could not be loaded."""


class RuntimeApi:
    """Hands events to a runtime client, one at a time, and takes its answers."""

    def __init__(self) -> None:
        self._events: SimpleQueue[bytes | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[bool, bytes]] = SimpleQueue()
        self._asked = Event()
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.api = self
        self._thread = Thread(target=self._server.serve_forever, name="runtime-api", daemon=True)
        self.address = f"{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self.hang_up()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def invoke(self, event: object) -> Any:
        """Hand over an event and return the function's answer.

        Raises:
            InvocationFailed: it has none.
        """
        self._events.put(json.dumps(event).encode())
        succeeded, content = self._answers.get(timeout=ANSWER_WITHIN_SECONDS)
        if not succeeded:
            raise InvocationFailed(content.decode())
        return json.loads(content)

    def wait_until_asked(self) -> None:
        """Return when the function is ready: it has asked for its first event.

        Raises:
            InvocationFailed: it never did.
        """
        if not self._asked.wait(ANSWER_WITHIN_SECONDS):
            raise InvocationFailed("the function never asked for an event")

    def hang_up(self) -> None:
        """End the runtime client: it exits when its question for the next event breaks off."""
        self._events.put(None)

    def next_event(self) -> bytes | None:
        """Wait for the next event. None when there is none any more."""
        self._asked.set()
        event = self._events.get()
        if event is None:
            # The client asks once more when a connection that it has used before breaks off.
            self._events.put(None)
        return event

    def take_answer(self, content: bytes, *, succeeded: bool) -> None:
        """Take what the function answered."""
        self._answers.put((succeeded, content))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: RuntimeApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, except that a function's process broke its connection off by ending."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path.endswith("/restore/next"):
            # Asked when Lambda would take its snapshot, and answered when it goes on from there.
            self._answer(200, b"{}", {"Content-Type": "application/json"})
            return
        event = self.server.api.next_event()
        if event is None:
            self.close_connection = True
            return
        deadline_ms = round((time.time() + ANSWER_WITHIN_SECONDS) * 1000)
        # The client waits for ever where one of these is missing.
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": "00000000-0000-4000-8000-000000000000",
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": (
                "arn:aws:lambda:us-east-1:000000000000:function:bench"
            ),
            "Lambda-Runtime-Trace-Id": "Root=1-69221f48-4e1c2b7a9d3f5e6081a2b3c4",
        }
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, b"{}", {"Content-Type": "application/json"})
        self.server.api.take_answer(content, succeeded=self.path.endswith("/response"))

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
