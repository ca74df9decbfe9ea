"""The frame of every request: id, body bound, log line, headers, unhandled errors."""

import re
import secrets
from http import HTTPStatus
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem import trace
from tandem.http import problems
from tandem.limits import BODY_BYTES
from tandem.telemetry import logger
from tandem.text import storable

_METHOD_CHARACTERS = 20
_REQUEST_ID = re.compile(r"[A-Za-z0-9+/=_.-]{1,128}")

SECURITY_HEADERS = {
    b"strict-transport-security": b"max-age=63072000; includeSubDomains",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
"""What every response carries unless its route says otherwise.
https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers"""


class RequestFrame:
    """Gives each request an id and a trace, and logs one line when it is answered.

    A plain ASGI middleware: BaseHTTPMiddleware costs as much as a whole request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(scope, receive, send).run(self._app)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status = 0
        self._method = scope["method"]
        self._head = self._method == "HEAD" and scope["path"] not in problems.MAKES_SOMETHING
        if self._head:
            scope["method"] = "GET"
        self._received_bytes = 0
        self._started = perf_counter()
        headers = dict(scope["headers"])
        event = scope.get("aws.event", {})
        self._base_path: str = event.get("basePath", "")
        self._request_id = _request_id(event)
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        self._traceparent = trace.continued(traceparent, trace.xray_header())
        state = scope.setdefault("state", {})
        state["request_id"] = self._request_id
        state["traceparent"] = self._traceparent

    async def run(self, app: ASGIApp) -> None:
        logger.set_correlation_id(trace.trace_id(self._traceparent))
        if self._base_path:
            from tandem.tasks.views import BASE_PATH

            BASE_PATH.set(self._base_path)
        try:
            await app(self._scope, self._receiving, self._sending)
        except Exception as error:  # noqa: BLE001 - a bug is answered as a problem, and logged
            logger.error(
                "unhandled error",
                request_id=self._request_id,
                **trace.described(error),
            )
            if not self._status:
                await self._answer_bug()
        finally:
            self._log()

    async def _receiving(self) -> Message:
        """Return what comes next of the request, or raise the problem of its body.

        What counts is what arrives, whatever the request's Content-Length says of it.
        """
        if self._scope.get("aws.event", {}).get("body", b"") is None:  # see LambdaHandler
            raise problems.Problem(
                HTTPStatus.BAD_REQUEST, "body-unreadable", "The request's body cannot be decoded."
            )
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > BODY_BYTES:
            raise problems.Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "content-too-large",
                f"A request's body has {BODY_BYTES} bytes at most.",
            )
        return message

    async def _answer_bug(self) -> None:
        answer = problems.response(
            self._request_id,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side; quote the request id when you report it.",
        )
        await answer(self._scope, self._receive, self._sending)

    async def _sending(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = message.get("headers", ())
            if self._base_path:
                headers = [self._below_base(name, text) for name, text in headers]
            given = {name for name, _ in headers}
            extra = ((name, text) for name, text in SECURITY_HEADERS.items() if name not in given)
            message["headers"] = [*headers, (b"x-request-id", self._request_id.encode()), *extra]
        elif self._head:
            message["body"] = b""
        await self._send(message)

    def _below_base(self, name: bytes, text: bytes) -> tuple[bytes, bytes]:
        """Return a header whose place, if it is one of ours, begins with the base path."""
        if name.lower() == b"location" and text.startswith(b"/"):
            text = self._base_path.encode() + text
        return name, text

    def _log(self) -> None:
        route = self._scope.get("route")
        logger.info(
            "request",
            request_id=self._request_id,
            method=storable(self._method, _METHOD_CHARACTERS),
            route=getattr(route, "path", None),
            status=self._status,
            duration_ms=round((perf_counter() - self._started) * 1000, 1),
        )


def _request_id(event: Any) -> str:
    """Return API Gateway's id of the request, or a new one outside of it."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    given = context.get("requestId") if isinstance(context, dict) else None
    if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(16)
