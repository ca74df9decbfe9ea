"""Requests with their retries. Every answer that is an error is raised."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from time import sleep
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
from pydantic import BaseModel, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from tandem_client.errors import TandemError, refused, refused_by_store, unreachable

Answer = TypeVar("Answer", bound=BaseModel)
Result = TypeVar("Result")

_PASSING = frozenset({None, 429, 502, 503, 504})
_IN_FLIGHT = "idempotency-key-in-flight"
_LONGEST_PAUSE_SECONDS = 30.0
_BACKOFF = wait_random_exponential(multiplier=0.5, max=8)


class Connection:
    """The way to the API, and to the store where large files are."""

    def __init__(
        self, url: str, auth: httpx2.Auth, *, timeout_seconds: float, attempts: int
    ) -> None:
        timeout = httpx2.Timeout(timeout_seconds, connect=10)
        headers = {"User-Agent": f"tandem-client/{_version()}"}
        self._api = httpx2.Client(base_url=url, auth=auth, timeout=timeout, headers=headers)
        # A client of its own: the store's URLs are signed, and it never sees the token.
        self._store = httpx2.Client(timeout=timeout, headers=headers)
        self._attempts = attempts

    def close(self) -> None:
        """Close what is open."""
        self._api.close()
        self._store.close()

    def get(
        self,
        path: str,
        answer: type[Answer],
        *,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """Read a document. Not repeatable: a GET that starts something."""
        response = self.send("GET", path, params=params, repeatable=repeatable)
        return parsed(response, answer)

    def post(self, path: str, answer: type[Answer], *, body: BaseModel | None = None) -> Answer:
        """Post what is not safe to repeat, and read its answer."""
        json = body.model_dump(mode="json", exclude_unset=True) if body else None
        return parsed(self.send("POST", path, json=json), answer)

    def create(
        self,
        path: str,
        *,
        json: Any = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Post what makes something, under a key: however often it is sent, it is made once."""
        keyed = {"Idempotency-Key": key or str(uuid4()), **(headers or {})}
        return self.send("POST", path, json=json, headers=keyed, repeatable=True)

    def delete(self, path: str) -> None:
        """Delete what a path names.

        It is sent again when its answer was lost. What is gone by then was deleted the first time.
        """
        sent: list[str] = []

        def once() -> None:
            sent.append(path)
            response = self._api.request("DELETE", path)
            if response.is_error and not (
                response.status_code == HTTPStatus.NOT_FOUND and len(sent) > 1
            ):
                raise refused(response)

        self.retrying(once)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> httpx2.Response:
        """Return the answer to a request. 303 and 304 are answers too.

        Raises:
            TandemError: it is refused, or nothing answers.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}

        def once() -> httpx2.Response:
            response = self._api.request(method, path, params=given, json=json, headers=headers)
            if response.is_error:
                raise refused(response)
            return response

        return self.retrying(once) if repeatable else _reached(once)

    def upload(self, send: Callable[[httpx2.Client], httpx2.Response]) -> None:
        """Send a file to the store. `send` is called again when it has to be."""

        def once() -> None:
            response = send(self._store)
            if not response.is_success:
                raise refused_by_store(response)

        self.retrying(once)

    @contextmanager
    def fetched(self, url: str) -> Iterator[httpx2.Response]:
        """Stream a file from the store."""

        def once() -> httpx2.Response:
            response = self._store.send(self._store.build_request("GET", url), stream=True)
            if not response.is_success:
                response.read()
                raise refused_by_store(response)
            return response

        response = self.retrying(once)
        try:
            yield response
        except httpx2.RequestError as error:
            raise unreachable(error) from error
        finally:
            response.close()

    def retrying(self, once: Callable[[], Result]) -> Result:
        """Return what a repeatable call returns, after a few tries when they are needed."""
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            retry=retry_if_exception(_is_passing),
            wait=_pause_seconds,
            sleep=sleep,
            reraise=True,
        )
        result: Result = retrying(_reached, once)
        return result


def parsed(response: httpx2.Response, answer: type[Answer]) -> Answer:
    """Return an answer as its model.

    Raises:
        TandemError: it is something else. The URL may be another service's.
    """
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        where = "".join(f"/{part}" for part in error.errors()[0]["loc"])
        raise TandemError(
            "urn:tandem:client:unexpected-answer",
            f"{response.request.url} answered with what is no {answer.__name__} (at {where or '/'})"
            ": is the URL right, and the client as new as the API?",
            status=response.status_code,
            request_id=response.headers.get("x-request-id"),
        ) from None


def _reached(once: Callable[[], Result]) -> Result:
    try:
        return once()
    except httpx2.RequestError as error:
        raise unreachable(error) from error
    except httpx2.InvalidURL as error:
        raise TandemError("urn:tandem:client:unreachable", f"That is no URL: {error}") from error


def _is_passing(error: BaseException) -> bool:
    """Whether a later try may do better, and soon."""
    if not isinstance(error, TandemError) or error.type == "urn:tandem:client:unexpected-answer":
        return False
    if (error.retry_after_seconds or 0) > _LONGEST_PAUSE_SECONDS:
        return False
    in_flight = error.status == HTTPStatus.CONFLICT and error.kind == _IN_FLIGHT
    return in_flight or error.status in _PASSING


def _pause_seconds(state: RetryCallState) -> float:
    """Return how long to wait: as the server says, and some more, lest all come at once."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, TandemError) else None
    return (asked or 0.0) + _BACKOFF(state)


def _version() -> str:
    try:
        return version("tandem-client")
    except PackageNotFoundError:  # run from a checkout
        return "0"
