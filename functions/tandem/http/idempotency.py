"""The `Idempotency-Key` header: what a caller makes under a key is made once.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request

from tandem.http.identity import Writer
from tandem.http.problems import Problem
from tandem.http.services import Services
from tandem.limits import KEY_CHARACTERS, KEY_LIFETIME
from tandem.tasks.store import IdempotencyKey, PriorUse

REPLAYED = {"Idempotency-Replayed": "true"}


async def _once(
    request: Request,
    caller: Writer,
    services: Services,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=KEY_CHARACTERS,
            pattern=r"^[\x21-\x7e]+$",
            description="The same key with the same request gives the same task, for 24 hours.",
        ),
    ] = None,
) -> IdempotencyKey | None:
    """Return the caller's key, bound to the tenant and to this very request."""
    if idempotency_key is None:
        return None
    body = await request.body()
    asked = b"\0".join([request.method.encode(), request.url.path.encode(), body])
    now = services.clock.now()
    return IdempotencyKey(
        key=_digest(f"{caller.tenant}\0{idempotency_key}".encode()),
        fingerprint=_digest(asked),
        now=now,
        expires_at=now + KEY_LIFETIME,
    )


IdempotencyHeader = Annotated[IdempotencyKey | None, Depends(_once)]


def part_of(once: IdempotencyKey | None, index: int) -> IdempotencyKey | None:
    """Return the key of one part of a request that makes several things."""
    return once and replace(once, key=_digest(f"{once.key}\0{index}".encode()))


def same_request(once: IdempotencyKey | None, before: PriorUse) -> str:
    """Return the id of what the key made before.

    Raises:
        Problem: it was made by another request.
    """
    if once is None or once.fingerprint != before.fingerprint:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The Idempotency-Key was used for another request.",
        )
    return before.made


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
