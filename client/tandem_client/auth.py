"""Access tokens for requests."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from http import HTTPStatus

import httpx2

from tandem_client.errors import TandemError, refused_token

_MARGIN_SECONDS = 60.0


class StaticToken(httpx2.Auth):
    """One access token that somebody else renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send the request with the token."""
        yield _bearing(request, self._token)


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and when it ends, in seconds since 1970."""

    value: str
    expires_at: float

    @property
    def is_fresh(self) -> bool:
        """Whether it will not end before a request with it is answered."""
        return time.time() < self.expires_at - _MARGIN_SECONDS


class ClientCredentials(httpx2.Auth):
    """A client's own tokens, by its id and secret (RFC 6749, section 4.4).

    A token is fetched with the first request, kept until shortly before it ends, and fetched again
    once when the API refuses it.

    Example:
        auth = ClientCredentials("https://…/oauth2/token", client_id, client_secret)
    """

    requires_response_body = True

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        token: AccessToken | None = None,
        keep: Callable[[AccessToken], None] | None = None,
    ) -> None:
        """Prepare. Nothing is fetched yet.

        Args:
            token_url: the OAuth2 server's token endpoint.
            client_id: the client's name there.
            client_secret: its secret.
            scope: what to ask for, with blanks between. The server's default when None.
            token: one that was kept before.
            keep: is given every new token.
        """
        self._token_url = token_url
        self._basic = httpx2.BasicAuth(client_id, client_secret)
        self._scope = scope
        self._token = token
        self._keep = keep

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send the request with a token, and once more with a new one when it is refused.

        Raises:
            TandemError: the token endpoint gives none.
        """
        kept = self._token if self._token and self._token.is_fresh else None
        token = kept or (yield from self._fetch())
        response = yield _bearing(request, token.value)
        if kept and response.status_code == HTTPStatus.UNAUTHORIZED:
            token = yield from self._fetch()
            yield _bearing(request, token.value)

    def _fetch(self) -> Generator[httpx2.Request, httpx2.Response, AccessToken]:
        form = {"grant_type": "client_credentials"}
        if self._scope:
            form["scope"] = self._scope
        asking = httpx2.Request("POST", self._token_url, data=form)
        response = yield next(self._basic.auth_flow(asking))
        self._token = token = _token_in(response)
        if self._keep:
            self._keep(token)
        return token


def _bearing(request: httpx2.Request, token: str) -> httpx2.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _token_in(response: httpx2.Response) -> AccessToken:
    if response.is_success:
        try:
            answer = response.json()
            seconds = float(answer.get("expires_in", _MARGIN_SECONDS))
            return AccessToken(str(answer["access_token"]), time.time() + seconds)
        except Exception:  # noqa: BLE001 - another service may answer anything
            detail = "The token endpoint answers, but with no token: is its URL right?"
            raise TandemError(
                "urn:tandem:client:no-token", detail, status=response.status_code
            ) from None
    raise refused_token(response)
