"""Signatures of callbacks and reports, as Standard Webhooks says, and their keys.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime

from tandem.ids import TenantId
from tandem.secrets import SecretStore

_PREFIX = "whsec_"
_PURPOSE = b"tandem callbacks, version 1\0"


def tenant_key(secret: str, tenant: TenantId) -> bytes:
    """Return a tenant's signing key: with it, nobody can sign as another tenant is signed for."""
    return hmac.digest(secret.encode(), _PURPOSE + tenant.encode(), "sha256")


def key_text(key: bytes) -> str:
    """Return a key as receivers' libraries take it."""
    return _PREFIX + b64encode(key).decode()


def signed_headers(
    keys: Sequence[bytes], *, message_id: str, at: datetime, body: bytes
) -> dict[str, str]:
    """Return the headers that prove who sent a body, and when, with one signature for each key."""
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def signing_key(secret: str) -> bytes:
    """Return the key that a secret holds: as receivers' libraries have it (`whsec_…`), or as it is.

    Raises:
        ValueError: it begins as theirs do, and is not base64.
    """
    if secret.startswith(_PREFIX):
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode()


class WebhookKeys:
    """A tenant's keys, derived from one secret: a rotation of it changes everyone's."""

    def __init__(self, secrets: SecretStore, secret_name: str) -> None:
        self._secrets = secrets
        self._secret_name = secret_name

    def of(self, tenant: TenantId) -> list[bytes]:
        """Return a tenant's current key, and the one before it where the secret was rotated.

        Raises:
            SecretsError: the secret cannot be read.
        """
        return [tenant_key(secret, tenant) for secret in self._secrets.versions(self._secret_name)]
