"""Errors as problem documents: RFC 9457, `application/problem+json`.

The methods of a path (HEAD, OPTIONS, Allow) are as RFC 9110, section 9.3, says.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from tandem.contended import Contended
from tandem.limits import DETAIL_CHARACTERS, INVALID_PARTS

MAKES_SOMETHING = frozenset({"/heavy-task"})
"""Paths whose GET is not safe, so that HEAD is not a GET without the body."""


def allowed(app: FastAPI, path: str) -> str:
    """Return the methods of a path as the Allow header lists them. Empty when it has none."""
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.methods and route.path_regex.match(path):
            methods |= route.methods
    if not methods:
        return ""
    if "GET" in methods and path not in MAKES_SOMETHING:
        methods.add("HEAD")
    return ", ".join(sorted(methods | {"OPTIONS"}))


MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """An error that is answered as a problem document."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind
        self.members = members


def invalid(pointer: str, detail: str) -> Problem:
    """Return the problem of one part of a request that the schema allows and we do not."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-request",
        "The request is not valid: see errors.",
        errors=[{"pointer": pointer, "detail": detail}],
    )


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there, or is another tenant's."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", f"There is no such {what}.")


def response(
    request_id: str,
    status: int,
    kind: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """Return a problem document as a response."""
    document = {
        "type": f"urn:tandem:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    return JSONResponse(document | members, status, headers, media_type=MEDIA_TYPE)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = {"Allow": allowed(request.app, request.scope["path"])}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
        error.headers = allow
    kind, members = "http", {}
    if isinstance(error, Problem):
        kind, members = error.kind, error.members
    else:
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    headers = dict(error.headers or {})
    request_id = request.state.request_id
    return response(request_id, error.status_code, kind, error.detail, headers=headers, **members)


async def _answer_contended(request: Request, error: Exception) -> JSONResponse:
    """Answer that nothing was written: others write the same at this moment."""
    del error
    return response(
        request.state.request_id,
        HTTPStatus.CONFLICT,
        "contended",
        "Others change the same thing at this moment: send the request again.",
        headers={"Retry-After": "1"},
    )


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    parts = [
        {"pointer": _pointer(found["loc"]), "detail": _cut(found["msg"])}
        for found in error.errors()[:INVALID_PARTS]
    ]
    return response(
        request.state.request_id,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-request",
        "The request is not valid: see errors.",
        errors=parts,
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return _cut("".join(f"/{part}" for part in escaped))


def _cut(text: str) -> str:
    """Return a text that may quote the request, shortened: an answer never mirrors a body."""
    return text if len(text) <= DETAIL_CHARACTERS else f"{text[:DETAIL_CHARACTERS]}…"


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem document."""
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Contended, _answer_contended)
