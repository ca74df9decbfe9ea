"""Entity tags: RFC 9110, sections 8.8.3 and 13.1.2."""

import hashlib


def etag_of(document: str) -> str:
    """Return a strong entity tag of a document."""
    return f'"{hashlib.sha256(document.encode()).hexdigest()[:32]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether the header names the tag, compared weakly, or any."""
    if if_none_match is None:
        return False
    named = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in named or etag in named
