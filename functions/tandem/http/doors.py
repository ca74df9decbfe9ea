"""Requests that did not come through the HTTP API: nobody has verified who calls.

They come from a function URL, from a target group of an Application Load Balancer, from a REST
API, or by a door that AWS describes nowhere. Health is answered there as everywhere. All else is
refused before a route is looked for, since the HTTP API's routes say what needs no token.
https://docs.aws.amazon.com/lambda/latest/dg/services-alb.html
"""

from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from tandem.http import problems
from tandem.http.middleware import RequestFrame

_OPEN = "/health"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Closed:
    """The application, as far as it needs no caller."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._refusing = RequestFrame(_refuse)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer health, and refuse all else."""
        app = self._app if scope["path"] == _OPEN else self._refusing
        await app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problems.response(
        scope["state"]["request_id"],
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "Access tokens are verified by the HTTP API alone: call it there.",
        headers=_CHALLENGE,
    )
    await answer(scope, receive, send)


class NotARequest(Exception):
    """An event of messages came: with an answer, a queue would take them for handled."""


def require_request(event: Any) -> None:
    """Raise NotARequest for an event of messages."""
    if isinstance(event, dict) and "Records" in event:
        message = "this function answers requests, and was given messages"
        raise NotARequest(message)


def as_http_api(event: Any) -> dict[str, Any]:
    """Return an event, whatever it is, as the HTTP API's are, with no caller, query or body."""
    event = _table(event)
    request = _table(event.get("requestContext"))
    line = {"method": event.get("httpMethod"), "path": event.get("path")}
    several = _table(event.get("multiValueHeaders"))
    return {
        "version": "2.0",
        "headers": {name: texts[-1] for name, texts in several.items() if _listed(texts)}
        | _table(event.get("headers")),
        "rawQueryString": "",
        "requestContext": {
            "domainName": "localhost",
            "http": line | _table(request.get("http")) | {"sourceIp": ""},
            "requestId": request.get("requestId"),
        },
    }


def _table(part: Any) -> dict[str, Any]:
    """Return a part of an event that has names. Nothing where it is of another form."""
    return part if isinstance(part, dict) else {}


def _listed(part: Any) -> bool:
    return isinstance(part, list) and bool(part)


def as_asked(event: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer in the form that the event's door takes."""
    event = _table(event)
    request = _table(event.get("requestContext"))
    if "http" in request:
        return answer
    status, headers = answer["statusCode"], answer["headers"]
    formed = {
        "statusCode": status,
        "isBase64Encoded": answer["isBase64Encoded"],
        "body": answer.get("body", ""),
    }
    if "elb" in request:
        formed["statusDescription"] = f"{status} {HTTPStatus(status).phrase}"
    if "headers" in event:
        return formed | {"headers": headers}
    return formed | {"multiValueHeaders": {name: [text] for name, text in headers.items()}}
