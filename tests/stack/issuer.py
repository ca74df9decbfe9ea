"""An OpenID Connect issuer on loopback: any token that a test wants, and forgeries of it."""

import base64
import hashlib
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tandem_tools.ports import LOOPBACK

AUDIENCE = "tandem-api"
TENANT_CLAIM = "https://tandem.test/tenant"
"""A name of the issuer's own, as Auth0 wants them."""

ORDINARY = "tasks:read tasks:write"
OPERATOR = f"{ORDINARY} reports:read admin"
KEY_ID = "key-1"

type Claims = dict[str, Any]


class Issuer:
    """Serves its discovery document and its keys for as long as the `with` block runs.

    Example:
        with Issuer() as issuer:
            token = issuer.token("acme")
    """

    def __init__(self) -> None:
        self._key = new_key()
        documents = {
            "/.well-known/openid-configuration": self._configuration,
            "/keys": self._keys,
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = documents.get(self.path)
                self.send_response(200 if document else 404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                if document:
                    self.wfile.write(json.dumps(document()).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=[0.05], daemon=True)

    def __enter__(self) -> Self:
        """Serve, in a thread of its own."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def parameters(self) -> dict[str, str]:
        """The template's parameters that make a stack take this issuer's tokens."""
        return {"JwtIssuer": self.url, "JwtAudience": AUDIENCE, "TenantClaim": TENANT_CLAIM}

    @property
    def public_key(self) -> bytes:
        """The key that signatures are verified with, as PEM."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def claims(self, tenant: str, scope: str = ORDINARY) -> Claims:
        """Return the claims of a good access token."""
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": f"client of {tenant}",
            "iat": now - 5,
            "nbf": now - 5,
            "exp": now + 3600,
            "scope": scope,
            TENANT_CLAIM: tenant,
        }

    def token(self, tenant: str, scope: str = ORDINARY, **changed: Any) -> str:
        """Return an access token of a tenant; a claim that is changed to None is left out."""
        claims = self.claims(tenant, scope) | changed
        return self.signed({name: one for name, one in claims.items() if one is not None})

    def signed(
        self, claims: Claims, *, key: rsa.RSAPrivateKey | None = None, key_id: str = KEY_ID
    ) -> str:
        """Return a token with these claims, signed with the issuer's key or another one."""
        unsigned = joined({"alg": "RS256", "typ": "at+jwt", "kid": key_id}, claims)
        signature = (key or self._key).sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{unsigned}.{encoded(signature)}"

    def _configuration(self) -> Claims:
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def _keys(self) -> Claims:
        numbers = self._key.public_key().public_numbers()
        one = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID}
        return {"keys": [one | {"n": whole(numbers.n), "e": whole(numbers.e)}]}


def new_key() -> rsa.RSAPrivateKey:
    """Return a key that no one else has."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def unsigned_token(claims: Claims) -> str:
    """Return a token that says it needs no signature."""
    return joined({"alg": "none", "typ": "JWT", "kid": KEY_ID}, claims) + "."


def token_signed_with_public_key(claims: Claims, public_key: bytes) -> str:
    """Return a token whose HMAC has the public key as its secret: what anyone can make."""
    unsigned = joined({"alg": "HS256", "typ": "JWT", "kid": KEY_ID}, claims)
    return f"{unsigned}.{encoded(hmac.digest(public_key, unsigned.encode(), hashlib.sha256))}"


def joined(header: Claims, claims: Claims) -> str:
    """Return the first two parts of a token."""
    return ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))


def encoded(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def whole(number: int) -> str:
    """Return a key's number as RFC 7518 writes it."""
    return encoded(number.to_bytes((number.bit_length() + 7) // 8))
