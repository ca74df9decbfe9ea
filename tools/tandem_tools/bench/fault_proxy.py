"""A proxy between the functions and the emulator that injects the faults of a plan.

It passes on the bytes that it gets. Without a plan, or without a fault in it, the functions cannot
tell it from the emulator. `docs/performance.md` says what it costs.
"""

import json
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tandem_tools.bench.fault_answers import Answer, batch_answer, refusal
from tandem_tools.bench.fault_calls import Call, Calls
from tandem_tools.bench.fault_plan import Decision, Fault, Plan
from tandem_tools.bench.http_messages import (
    BrokenMessage,
    Head,
    read_head,
    request_body,
    response_body,
    without_chunks,
)
from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.ports import LOOPBACK

UPSTREAM_TIMEOUT_SECONDS = 120
STOP_NOTICED_WITHIN_SECONDS = 0.05
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_REFUSALS = frozenset({Fault.THROTTLE, Fault.ERROR, Fault.CONFLICT})
_WHERE_CARRIED_OUT = frozenset({Fault.CONFLICT_AFTER, Fault.PARTIAL_AFTER})
"""Of what the emulator itself refused, these would say the contrary."""
_NOT_FORWARDED = frozenset({"expect"})
_WORDS_OF_SERVICES = 1 << 20
"""A body up to this size is looked at. A larger one is only passed on."""


class FaultProxy:
    """Serves the emulator's services at a port of its own, for as long as the block runs.

    Example:
        with FaultProxy(emulator_port) as proxy:
            proxy.arm(Plan(seed=7))
    """

    def __init__(self, upstream_port: int) -> None:
        """Take a free port. The emulator need not run yet."""
        self.calls = Calls()
        self._server = _Server((LOOPBACK, 0), _Connection)
        self._server.upstream = (LOOPBACK, upstream_port)
        self._server.calls = self.calls
        self._thread = Thread(
            target=self._server.serve_forever,
            args=[STOP_NOTICED_WITHIN_SECONDS],
            name="fault-proxy",
            daemon=True,
        )
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def arm(self, plan: Plan, *, keep: bool = False) -> None:
        """Inject the faults of a plan from now on, as `Calls.arm`."""
        self.calls.arm(plan, keep=keep)

    def disarm(self) -> None:
        """Pass everything on from now on."""
        self.calls.disarm()

    def __enter__(self) -> Self:
        """Start to serve, in threads."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving, and cut every connection."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut_all()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: tuple[str, int]
    calls: Calls

    def __init__(self, address: tuple[str, int], handler: type[BaseRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()
        self._opening = Lock()

    def opened(self, connection: socket.socket) -> None:
        """Note a connection that is to be cut in the end."""
        with self._opening:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._opening:
            self._open.discard(connection)

    def cut_all(self) -> None:
        """End every connection that is open still."""
        with self._opening:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection. With `RESET_ON_CLOSE` nothing may be said before."""
        self.close_request(request)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client or an emulator that hangs up: functions are killed here."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was read to its end."""

    head: Head
    raw_body: bytes

    @property
    def body(self) -> bytes:
        """Its content."""
        return without_chunks(self.raw_body) if self.head.chunked else self.raw_body

    def to_bytes(self) -> bytes:
        """Return it as it came."""
        return self.head.to_bytes() + self.raw_body


class _Upstream:
    """A connection to the emulator, made anew when the emulator has closed it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def send(self, head: bytes, body: Iterable[bytes]) -> None:
        """Send a request. A small one in one piece."""
        connection = self._connected()
        pieces = iter(body)
        connection.sendall(head + next(pieces, b""))
        for piece in pieces:
            connection.sendall(piece)

    def answered(self) -> tuple[Head, BinaryIO]:
        """Return the head of the answer, and the stream that its body comes from.

        Raises:
            BrokenMessage: there is none.
        """
        assert self._stream is not None  # noqa: S101 - `send` made it
        while True:
            head = read_head(self._stream)
            if head is None:
                raise BrokenMessage
            if head.status >= 200:
                return head, self._stream

    def close(self) -> None:
        """Close the connection."""
        for part in (self._stream, self._socket):
            if part is not None:
                with suppress(OSError):
                    part.close()
        self._socket = self._stream = None

    def _connected(self) -> socket.socket:
        if self._socket is not None and _was_closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, UPSTREAM_TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = cast("BinaryIO", self._socket.makefile("rb"))
        return self._socket


class _Connection(BaseRequestHandler):
    """One connection of a function."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Serve requests until either side ends the connection."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.opened(self.request)
        self._upstream = _Upstream(self.server.upstream)
        with self.request.makefile("rb") as reader:
            stream = cast("BinaryIO", reader)
            try:
                while (head := read_head(stream)) is not None and self._serve(head, stream):
                    pass
            finally:
                self._upstream.close()
                self.server.closed(self.request)

    def _serve(self, head: Head, stream: BinaryIO) -> bool:
        """Answer a request, and return whether the connection goes on."""
        if "expect" in head.fields:
            self.request.sendall(CONTINUE)
        body: Iterable[bytes] = request_body(head, stream)
        looked_at = b""
        if int(head.fields.get("content-length", "0")) <= _WORDS_OF_SERVICES and not head.chunked:
            looked_at = b"".join(body)
            body = [looked_at]
        call = self.server.calls.begin(head, looked_at)
        if call is None or call.decision is None:
            return self._pass_on(head, body, call)
        return self._meet(call.decision, call, head, body)

    def _pass_on(self, head: Head, body: Iterable[bytes], call: Call | None) -> bool:
        """Pass a request on, and its answer back as it comes."""
        answer, stream = self._ask(head.to_bytes(without=_NOT_FORWARDED), body, call)
        pieces = response_body(answer, stream, head.method)
        self.request.sendall(answer.to_bytes() + next(pieces, b""))
        for piece in pieces:
            self.request.sendall(piece)
        return not (answer.closes or head.closes)

    def _meet(self, decision: Decision, call: Call, head: Head, body: Iterable[bytes]) -> bool:
        """Let a call meet its fault, and return whether the connection goes on."""
        whole = b"".join(body)
        fault = decision.fault
        if fault is Fault.RESET:
            return self._cut(decision)
        if fault is Fault.PARTIAL:
            return self._leave_out(decision, call, head, whole)
        if fault in _REFUSALS:
            return self._say(refusal(call.operation, decision, whole), head)
        response = self._carry_out(head.to_bytes(without=_NOT_FORWARDED), whole, call, head)
        if fault is Fault.LOST:
            return self._cut(decision)
        if fault is Fault.HALF:
            self.request.sendall(_half(response))
            return False
        if fault is Fault.LATE:
            time.sleep(decision.seconds)
        self.request.sendall(_after(decision, call, head, whole, response))
        return not response.head.closes

    def _leave_out(self, decision: Decision, call: Call, head: Head, body: bytes) -> bool:
        """Carry out a batch but for one entry, and report that as failed."""
        left_out = _entry(body, decision)
        batch = json.loads(body)
        batch["Entries"] = [entry for entry in batch["Entries"] if entry["Id"] != left_out]
        if not batch["Entries"]:
            return self._say(batch_answer(b"", left_out), head)
        rest = json.dumps(batch).encode()
        response = self._carry_out(_signed(head, rest), rest, call, head)
        return self._say(batch_answer(response.body, left_out), head)

    def _carry_out(self, raw_head: bytes, body: bytes, call: Call, head: Head) -> Response:
        """Pass a request on, and return its answer when it has come whole."""
        answer, stream = self._ask(raw_head, [body], call)
        return Response(answer, b"".join(response_body(answer, stream, head.method)))

    def _ask(
        self, raw_head: bytes, body: Iterable[bytes], call: Call | None
    ) -> tuple[Head, BinaryIO]:
        try:
            self._upstream.send(raw_head, body)
            answer = self._upstream.answered()
        except OSError:
            self.server.calls.broken += 1
            raise
        if call is not None:
            call.status = answer[0].status
        return answer

    def _say(self, answer: Answer, head: Head) -> bool:
        self.request.sendall(answer.to_bytes(with_body=head.method != "HEAD"))
        return True

    def _cut(self, decision: Decision) -> bool:
        """End the connection, in one of the two ways that a client can see."""
        if decision.choice < 0.5:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        return False


def _half(response: Response) -> bytes:
    """Return the first half of a body with its head. Half of the head where there is no body."""
    head = response.head.to_bytes()
    body = response.raw_body
    return head + body[: len(body) // 2] if body else head[: len(head) // 2]


def _after(decision: Decision, call: Call, head: Head, body: bytes, response: Response) -> bytes:
    """Return what is answered after a call was carried out."""
    fault = decision.fault
    refused = response.head.status != 200 and fault in _WHERE_CARRIED_OUT
    if fault is Fault.LATE or refused:
        return response.to_bytes()
    if fault is Fault.PARTIAL_AFTER:
        answer = batch_answer(response.body, _entry(body, decision))
    else:
        answer = refusal(call.operation, decision, body)
    return answer.to_bytes(with_body=head.method != "HEAD")


def _entry(body: bytes, decision: Decision) -> str:
    """Return the id of the batch entry that meets the fault."""
    entries = json.loads(body)["Entries"]
    entry_id: str = entries[int(decision.choice * len(entries))]["Id"]
    return entry_id


def _signed(head: Head, body: bytes) -> bytes:
    """Return the head of a changed request, signed again: the function's signature is void.

    The emulator's root account signs it, so the function's role is not asked in such a call.
    """
    kept = ("host", "content-type", "x-amz-target")
    request = AWSRequest(
        head.method,
        f"http://{head.fields['host']}{head.target}",
        data=body,
        headers={name: head.fields[name] for name in kept},
    )
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "sqs", REGION).add_auth(request)
    headers = {**dict(request.headers.items()), "content-length": str(len(body))}
    lines = [head.start, *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _was_closed(connection: socket.socket) -> bool:
    """Return whether the other side has ended an idle connection."""
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(UPSTREAM_TIMEOUT_SECONDS)
