"""The application as a Lambda handler."""

import asyncio
import atexit
import logging
import signal
import sys
import threading
from types import FrameType
from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.protocols import LifespanCycle
from mangum.types import ASGI, LambdaContext

from api.problems import MEDIA_TYPE

# Mangum logs a line for each request beside ours, which says more.
logging.getLogger("mangum").setLevel(logging.WARNING)


class LambdaHandler:
    """Serves API Gateway's events, on one event loop and in one lifespan.

    Mangum by itself starts and stops the application's lifespan on every invocation. Here it
    starts with the first one, and stops when Lambda ends the execution environment: with SIGTERM,
    which Lambda sends where an extension is registered.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
    """

    def __init__(self, app: ASGI) -> None:
        self._app = app
        self._mangum: Mangum | None = None

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request."""
        if self._mangum is None:
            self._mangum = self._start()
        return self._mangum(_with_own_host(event), context)

    def _start(self) -> Mangum:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._lifespan = LifespanCycle(self._app, "on")
        self._lifespan.__enter__()
        atexit.register(self.stop)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _exit)
        more = [MEDIA_TYPE, "application/openmetrics-text", "image/svg+xml"]
        text_types = [*DEFAULT_TEXT_MIME_TYPES, *more]
        return Mangum(self._app, lifespan="off", text_mime_types=text_types)

    def stop(self) -> None:
        """End the lifespan; a next request would start another."""
        if self._mangum is not None:
            self._mangum = None
            atexit.unregister(self.stop)
            self._lifespan.__exit__(None, None, None)
            self._loop.close()


def _with_own_host(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with the API's own name as its host.

    What a request says of host and port may be anything, and Mangum raises where it cannot read it.
    """
    name, _, _ = event["requestContext"]["domainName"].partition(":")
    return event | {"headers": event["headers"] | {"host": f"{name}:443"}}


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
