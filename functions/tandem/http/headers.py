"""Request headers of RFC 9110: Accept, Content-Type and If-None-Match.

Content negotiation is sections 12.5.1, 15.5.7 and 15.5.16: the API speaks JSON. Entity tags are
sections 8.8.3 and 13.1.2.
"""

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from starlette.datastructures import Headers

from tandem.http.problems import Problem

_JSON = "application/json"


async def json_spoken(request: Request) -> None:
    """Answer 406 when the caller takes no JSON, and 415 when it sends something else.

    A caller that wants no JSON but takes problem documents gets one, as it asked.
    """
    spoken(request, _JSON)
    headers = request.headers
    if not await request.body():
        return
    if not _is_json(headers.get("content-type", "")):
        raise _unsupported(f"The body must be {_JSON}.", {"Accept": _JSON})
    check_coding(headers)


JSON_SPOKEN = Depends(json_spoken)
"""For a router or a route: `APIRouter(dependencies=[JSON_SPOKEN])`."""


def check_coding(headers: Headers) -> None:
    """Answer 415 when the body has a content coding (RFC 9110, section 15.5.16)."""
    if "content-encoding" not in headers:
        return
    codings = ",".join(headers.getlist("content-encoding")).split(",")
    if any(coding.strip().lower() not in {"", "identity"} for coding in codings):
        raise _unsupported("The body must not be encoded.", {"Accept-Encoding": "identity"})


def spoken(request: Request, media_type: str) -> None:
    """Answer 406 when the caller does not take what the answer is."""
    accept = request.headers.get("accept")
    if accept is not None and not accepts(accept, media_type):
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"The answer is {media_type}.")


def accepts(accept: str, media_type: str) -> bool:
    """Return whether an Accept header takes a type. The most specific range of it decides."""
    quality = _quality_of(("*/*", f"{media_type.partition('/')[0]}/*", media_type), accept)
    return not accept.strip() if quality is None else quality > 0


def takes_coding(accept_encoding: str, coding: str) -> bool:
    """Return whether an Accept-Encoding header names a content coding, or any."""
    return (_quality_of(("*", coding), accept_encoding) or 0) > 0


def _quality_of(ranges: tuple[str, ...], header: str) -> float | None:
    """Return how much the last of these ranges is wanted that a header names. None if it does not.

    Args:
        ranges: what names it, the most specific last.
        header: an Accept header, or one like it.
    """
    qualities: dict[str, float] = {}
    for part in header.split(","):
        named, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if named in ranges:
            qualities[named] = max(_quality(parameters), qualities.get(named, 0))
    return next(
        (qualities[media_range] for media_range in reversed(ranges) if media_range in qualities),
        None,
    )


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == _JSON or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _unsupported(detail: str, headers: dict[str, str]) -> Problem:
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail, headers=headers
    )


IfNoneMatch = Annotated[
    str | None, Header(max_length=1000, description="Entity tags; with one that holds still: 304.")
]

NOT_MODIFIED = {"description": "It is as If-None-Match says."}


def tagged(
    document: str,
    if_none_match: str | None,
    headers: dict[str, str] | None = None,
    *,
    media_type: str = "application/json",
) -> Response:
    """Return a document with its entity tag, or 304 when the caller has it already."""
    tag = etag_of(document)
    headers = {"Cache-Control": "no-cache", **(headers or {}), "ETag": tag}
    if matches(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(document, headers=headers, media_type=media_type)


def etag_of(document: str) -> str:
    """Return a strong entity tag of a document."""
    return f'"{hashlib.sha256(document.encode()).hexdigest()[:32]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether the header names the tag, compared weakly, or any."""
    if if_none_match is None:
        return False
    named = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in named or etag in named
