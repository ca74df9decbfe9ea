"""Access tokens from the stack's own OAuth2 endpoint (client credentials, RFC 6749 section 4.4)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and the time from which it is refused."""

    value: str
    expires_at: datetime


def request_token(token_url: str, client_id: str, client_secret: str) -> AccessToken:
    """Return a token with every scope that the client may have."""
    response = httpx2.post(
        token_url,
        data={"grant_type": "client_credentials"},
        auth=(client_id, client_secret),
        timeout=10,
    )
    response.raise_for_status()
    answer = response.json()
    expires_at = datetime.now(UTC) + timedelta(seconds=answer["expires_in"])
    return AccessToken(answer["access_token"], expires_at)
