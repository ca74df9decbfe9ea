"""Entity tags: RFC 9110, sections 8.8.3 and 13.1.2."""

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import Header, Response

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
