"""Requests that did not come through the HTTP API: nobody has verified who calls.

They come from a function URL, from a target group of an Application Load Balancer, or from a REST
API. Health is answered there as everywhere. All else is refused before a route is looked for, since
the HTTP API's routes say what needs no token.
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


def as_http_api(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as the HTTP API's are, with no caller, query or body."""
    request = event["requestContext"]
    line = {"method": event.get("httpMethod"), "path": event.get("path"), "sourceIp": ""}
    several = event.get("multiValueHeaders") or {}
    return {
        "version": "2.0",
        "headers": {name: texts[-1] for name, texts in several.items() if texts}
        | (event.get("headers") or {}),
        "rawQueryString": "",
        "requestContext": {
            "domainName": "localhost",
            "http": line | request.get("http", {}),
            "requestId": request.get("requestId"),
        },
    }


def as_asked(event: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer in the form that the event's door takes."""
    request = event["requestContext"]
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
