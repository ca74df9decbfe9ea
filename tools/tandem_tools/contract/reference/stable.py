"""The same bytes for what differs from run to run, so that a page shows only what changed.

An id stays itself from exchange to exchange: the first that is seen becomes the first of the
stable ones, and so on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tandem_tools.contract.reference.steps import Exchange, Request

URL = "http://127.0.0.1:8000"
BUCKET_URL = "http://127.0.0.1:4566/tandem-tasks"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WAIT = re.compile(r"(?<=is used up for )\d+(?= s)")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

_TIMES = {
    "created_at": "2026-01-15T09:30:00.120Z",
    "started_at": "2026-01-15T09:30:00.180Z",
    "cancel_requested_at": "2026-01-15T09:30:01.400Z",
    "ended_at": "2026-01-15T09:30:00.210Z",
    "finished_at": "2026-01-15T09:30:00.215Z",
    "sent_at": "2026-01-15T09:30:00.230Z",
    "expires_at": "2026-02-14T09:30:00.215Z",
    "run_after": "2026-01-15T10:30:00.000Z",
    "window": "2026-01-15T09:30:00Z",
    "closed_at": "2026-01-15T09:31:12.045Z",
}
_OTHER_TIME = "2026-01-15T09:30:00Z"

_FIELDS: dict[str, Any] = {
    "duration_ms": 34,
    "next_cursor": "eyJzaGFyZHMi…",
    "p50": 0.021,
    "p95": 0.034,
    "p99": 0.034,
    "run_seconds": 0.021,
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "request_id": "JKJaXmPLvHcESHA=",
    "policy": "eyJleHBpcmF0aW9uIjog…",
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "AKIAEXAMPLE/20260115/us-east-1/s3/aws4_request",
    "x-amz-date": "20260115T093000Z",
    "x-amz-expires": "300",
    "x-amz-security-token": "IQoJb3JpZ2luX2Vj…",
    "x-amz-signature": "5d672d79c15b13162d9279b0855cfba6…",
}
"""Values by the name of their field, JSON's or a query's, in lower case."""

_WAIT_SECONDS = "60"
_HEADERS = {
    "age": "2",
    "etag": '"1c5a8f0e9b7d4c23"',
    "if-none-match": '"1c5a8f0e9b7d4c23"',
    "x-request-id": "JKJaXmPLvHcESHA=",
}


@dataclass(slots=True)
class Stable:
    """Makes exchanges the same in every run."""

    known: Mapping[str, str]
    """What is to be replaced wherever it stands: names and secrets of the stack."""
    ids: dict[str, str] = field(default_factory=dict)

    def exchange(self, exchange: Exchange) -> Exchange:
        """Return an exchange with stable values, in the order in which a reader meets them."""
        request = self._request(exchange.request)
        headers = {name: self._header(name, value) for name, value in exchange.headers.items()}
        return replace(
            exchange, request=request, headers=headers, answer=self._value("", exchange.answer)
        )

    def _request(self, request: Request) -> Request:
        return replace(
            request,
            path=self._text("", request.path),
            query=self._value("", request.query),
            headers={name: self._header(name, value) for name, value in request.headers.items()},
            body=self._value("", request.body),
        )

    def _header(self, name: str, value: str) -> str:
        if name.lower() in _HEADERS:
            return _HEADERS[name.lower()]
        if name.lower() == "retry-after" and value != "1":  # until there is quota again
            return _WAIT_SECONDS
        return self._location(value) if name.lower() == "location" else self._text("", value)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {self._text("", key): self._value(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(name, inner) for inner in value]
        if value is not None and name.lower() in _FIELDS:
            return _FIELDS[name.lower()]
        return self._text(name, value) if isinstance(value, str) else value

    def _text(self, name: str, text: str) -> str:
        if _TIME.fullmatch(text):
            return _TIMES.get(name, _OTHER_TIME)
        for found, stable in self.known.items():
            text = text.replace(found, stable)
        text = _WAIT.sub(_WAIT_SECONDS, text)
        return _UUID.sub(lambda match: self._id(match[0]), text)

    def _id(self, found: str) -> str:
        number = len(self.ids) + 1
        return self.ids.setdefault(found, f"019bc0de-{number:04x}-7a00-8000-{number:012x}")

    def _location(self, url: str) -> str:
        """Return a URL whose query has stable values, as far as they have names that we know."""
        parts = urlsplit(self._text("", url))
        query = [
            (name, _FIELDS.get(name.lower(), self._text("", value)))
            for name, value in parse_qsl(parts.query)
        ]
        return parts._replace(query=urlencode(query, quote_via=quote)).geturl()
