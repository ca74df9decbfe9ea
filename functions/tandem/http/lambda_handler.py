"""The application as a Lambda handler."""

import asyncio
import atexit
import logging
import signal
import sys
import threading
from base64 import b64decode
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.protocols import LifespanCycle
from mangum.types import ASGI, LambdaContext

from tandem.http.problems import MEDIA_TYPE

# Mangum logs a line for each request beside ours, which says more.
logging.getLogger("mangum").setLevel(logging.WARNING)

_NO_NAME = "$default"
"""The stage whose name is in no path."""


class LambdaHandler:
    """Serves API Gateway's events, on one event loop and in one lifespan.

    Mangum by itself starts and stops the application's lifespan on every invocation. Here it
    starts with the first one, and stops when Lambda ends the execution environment: with SIGTERM,
    which Lambda sends where an extension is registered.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
    """

    def __init__(self, app: ASGI, *, url: str = "") -> None:
        """Serve an application.

        Args:
            app: the application.
            url: where callers reach it on a domain of one's own, with the key of its API mapping.
        """
        self._app = app
        self._mangum: Mangum | None = None
        self._closed: Mangum | None = None
        address = urlsplit(url)
        self._key = address.path.rstrip("/")
        self._mapped_domain = address.hostname if self._key else None

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request."""
        if self._mangum is None:
            self._mangum = self._start()
        if not _from_the_http_api(event):
            return self._answer_without_caller(event, context)
        request = event["requestContext"]
        readable = _readable(event)
        stage = request.get("stage", _NO_NAME)
        if stage != _NO_NAME or request["domainName"] == self._mapped_domain:
            readable = self._without_base(readable, stage)
        return self._mangum(readable, context)

    def _without_base(self, event: dict[str, Any], stage: str) -> dict[str, Any]:
        """Return the event with what stands before the routes as its `basePath`, not in its path.

        A path begins with the name of its stage. As API Gateway documents it, the key of an API
        mapping is not in it. Callers of that domain have it before every path all the same.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
        """
        request = event["requestContext"]
        key = self._key if request["domainName"] == self._mapped_domain else ""
        name = "" if stage == _NO_NAME else f"/{stage}"
        own_domain = request["domainName"].startswith(f"{request.get('apiId')}.execute-api.")
        http = request["http"]
        path = _without(key, _without(name, http["path"]))
        return event | {
            "basePath": key or (name if own_domain else ""),
            "requestContext": request | {"http": http | {"path": path}},
        }

    def _start(self) -> Mangum:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._lifespan = LifespanCycle(self._app, "on")
        self._lifespan.__enter__()
        atexit.register(self.stop)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _exit)
        return _adapter(self._app)

    def _answer_without_caller(
        self, event: dict[str, Any], context: LambdaContext
    ) -> dict[str, Any]:
        """Answer a request that came by another door than the HTTP API's."""
        from tandem.http import doors

        doors.require_request(event)
        if self._closed is None:
            self._closed = _adapter(doors.Closed(self._app))
        answer = self._closed(_readable(doors.as_http_api(event)), context)
        return doors.as_asked(event, answer)

    def stop(self) -> None:
        """End the lifespan. A next request would start another."""
        if self._mangum is not None:
            self._mangum = None
            atexit.unregister(self.stop)
            self._lifespan.__exit__(None, None, None)
            self._loop.close()


def _adapter(app: ASGI) -> Mangum:
    more = [MEDIA_TYPE, "application/openmetrics-text", "image/svg+xml"]
    text_types = [*DEFAULT_TEXT_MIME_TYPES, *more]
    return Mangum(app, lifespan="off", text_mime_types=text_types)


def _from_the_http_api(event: Any) -> bool:
    """Return whether an event is a request of the HTTP API, which has verified who calls."""
    try:
        request = event["requestContext"]
        http, domain = request["http"], request["domainName"]
        texts = (http["method"], http["path"], http["sourceIp"], domain)
        known = event["version"] == "2.0" and isinstance(event.get("headers") or {}, dict)
    except (KeyError, TypeError):
        return False
    return known and all(isinstance(text, str) for text in texts) and ".lambda-url." not in domain


def _readable(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event so that Mangum can read it: it raises where a part is not as it expects.

    The host is the API's own name, whatever the request says of it. Halves of surrogate pairs,
    which no bytes can hold, become question marks. The body becomes bytes.
    """
    if not _plain(event):
        event = _with_encodable_texts(event)
    name, _, _ = event["requestContext"]["domainName"].partition(":")
    headers = event.get("headers") or {}
    return event | {
        "headers": headers | {"host": f"{name}:443"},
        "body": _body(event),
        "isBase64Encoded": False,
    }


def _without(start: str, path: str) -> str:
    """Return a path without what it may begin with."""
    rest = path.removeprefix(start)
    return rest if rest.startswith("/") or not rest else path


def _plain(event: dict[str, Any]) -> bool:
    """Return whether all that Mangum encodes is ASCII text: asked once, not of each."""
    http = event["requestContext"]["http"]
    headers = event.get("headers") or {}
    texts = (*headers, *headers.values(), *(event.get("cookies") or ()))
    try:
        return "".join(
            (http["method"], http["path"], event.get("rawQueryString", ""), *texts)
        ).isascii()
    except TypeError:  # something is no text
        return False


def _with_encodable_texts(event: dict[str, Any]) -> dict[str, Any]:
    context = event["requestContext"]
    http = context["http"]
    headers = event.get("headers") or {}
    line = {name: _encodable(http[name]) for name in ("method", "path")}
    return event | {
        "headers": {_encodable(name): _encodable(text) for name, text in headers.items()},
        "cookies": [_encodable(cookie) for cookie in event.get("cookies") or ()],
        "rawQueryString": _encodable(event.get("rawQueryString")),
        "requestContext": context | {"http": http | line},
    }


def _encodable(text: Any) -> str:
    """Return a text that UTF-8 can hold."""
    known = text if isinstance(text, str) else ""
    return known if known.isascii() else known.encode(errors="replace").decode()


def _body(event: dict[str, Any]) -> bytes | None:
    """Return the body. None when the event holds one that cannot be decoded."""
    body = event.get("body") or ""
    try:
        return b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except Exception:  # noqa: BLE001 - no base64, no UTF-8 or no text: API Gateway sends none
        return None


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
