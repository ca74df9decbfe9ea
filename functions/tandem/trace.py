"""W3C trace context, carried from the request through the queue to the worker.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

import os
import re
import secrets
from traceback import extract_tb
from typing import Any

from tandem.text import aws_code, error_type

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_OUTER_FRAMES = 10
_INNER_FRAMES = 30
"""Of a deep stack, such as a recursion without end leaves, a log line holds so many places."""

_XRAY_ROOT = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})")


def trace_id(traceparent: str | None) -> str | None:
    """Return the 32 hexadecimal digits of the trace id. None when the header is not valid."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match and match[1]


def continued(traceparent: str | None, xray_header: str | None) -> str:
    """Return a traceparent for what this process does.

    It continues the caller's trace where the caller gave a valid one. Else it continues the X-Ray
    trace that Lambda started, whose format names the same 128-bit id. Else it starts a trace.
    """
    xray = _XRAY_ROOT.search(xray_header or "")
    trace = trace_id(traceparent) or (xray and xray[1] + xray[2]) or secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def xray_header() -> str | None:
    """Return the X-Ray header of this invocation, as Lambda's runtime sets it."""
    return os.environ.get("_X_AMZN_TRACE_ID")


def described(error: BaseException) -> dict[str, Any]:
    """Return what may be logged of an error: its class, an AWS error's code, and where it was."""
    code = aws_code(error)
    known: dict[str, Any] = {"error_type": error_type(error), "stack": stack(error)}
    return known | ({"error_code": code} if code else {})


def stack(error: BaseException) -> list[str]:
    """Return where an error was raised, innermost last, without its message.

    The message may hold input, which is never logged. Of a deep stack the middle is left out.
    """
    places = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    left_out = len(places) - _OUTER_FRAMES - _INNER_FRAMES
    if left_out > 0:
        places[_OUTER_FRAMES:-_INNER_FRAMES] = [f"{left_out} more"]
    return places
