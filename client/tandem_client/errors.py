"""The client's errors."""

import json
import re

import httpx2
from pydantic import ValidationError

from tandem_client.models import InvalidPart, ProblemDocument

_KIND = "urn:tandem:problem:"
_STORES_MESSAGE = re.compile(r"<Message>([^<]{1,500})</Message>")


class TandemError(Exception):
    """A request that did not succeed.

    Attributes:
        type: the stable name of the kind of problem, such as `urn:tandem:problem:not-found`.
        status: the HTTP status. None when nothing answered.
        detail: what went wrong, for people.
        errors: the invalid parts of the request.
        request_id: what to quote when you report it.
        task_id: the task that it is about.
        retry_after_seconds: when it is worth trying again, as the server says.
        document: the API's problem document, when there is one.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        status: int | None = None,
        errors: list[InvalidPart] | None = None,
        request_id: str | None = None,
        task_id: str | None = None,
        retry_after_seconds: float | None = None,
        document: ProblemDocument | None = None,
    ) -> None:
        super().__init__(detail)
        self.type = kind if ":" in kind else f"{_KIND}{kind}"
        self.detail = detail
        self.status = status
        self.errors = errors or []
        self.request_id = request_id
        self.task_id = task_id
        self.retry_after_seconds = retry_after_seconds
        self.document = document

    @property
    def kind(self) -> str:
        """The last part of the type: `not-found`."""
        return self.type.rpartition(":")[2]

    def as_json(self) -> str:
        """Return the API's problem document, or one of its kind about what is not the API's."""
        if self.document is not None:
            return self.document.as_json()
        own = {
            "type": self.type,
            "status": self.status,
            "detail": self.detail,
            "request_id": self.request_id,
        }
        return json.dumps({name: value for name, value in own.items() if value is not None})


def unreachable(error: httpx2.RequestError) -> TandemError:
    """Return the error of a request that got no answer."""
    try:
        where = f"{error.request.url.host}:{error.request.url.port or error.request.url.scheme}"
    except RuntimeError:  # the error names no request
        where = "The server"
    why = str(error) or type(error).__name__
    return TandemError("urn:tandem:client:unreachable", f"{where} does not answer: {why}")


def refused(response: httpx2.Response) -> TandemError:
    """Return the error that an answer of the API describes. Its body has been read."""
    request_id = response.headers.get("x-request-id") or response.headers.get("apigw-requestid")
    try:
        problem = ProblemDocument.model_validate_json(response.content)
    except ValidationError:
        return TandemError(
            "about:blank",
            _plain_detail(response),
            status=response.status_code,
            request_id=request_id,
            retry_after_seconds=_retry_after(response),
        )
    return TandemError(
        problem.type,
        problem.detail,
        status=problem.status,
        errors=problem.errors,
        request_id=problem.request_id,
        task_id=problem.task_id,
        retry_after_seconds=_retry_after(response),
        document=problem,
    )


def refused_by_store(response: httpx2.Response) -> TandemError:
    """Return the error that an answer of the file store describes. Its body has been read."""
    said = _STORES_MESSAGE.search(response.text)
    return TandemError(
        "urn:tandem:client:store",
        f"The file store refuses it: {said[1] if said else _phrase(response)}",
        status=response.status_code,
        request_id=response.headers.get("x-amz-request-id"),
    )


def refused_token(response: httpx2.Response) -> TandemError:
    """Return the error that an answer of the token endpoint describes (RFC 6749, section 5.2)."""
    try:
        answer = response.json()
        said = str(answer.get("error_description") or answer.get("error") or "")
    except Exception:  # noqa: BLE001 - another service may answer anything
        said = ""
    return TandemError(
        "urn:tandem:client:no-token",
        f"The token endpoint gives no token: {said or _phrase(response)}",
        status=response.status_code,
        retry_after_seconds=_retry_after(response),
    )


def _plain_detail(response: httpx2.Response) -> str:
    """Return what API Gateway says by itself: `{"message": "Unauthorized"}`."""
    try:
        said = response.json().get("message")
    except Exception:  # noqa: BLE001 - another service may answer anything
        said = None
    return str(said or _phrase(response))


def _phrase(response: httpx2.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _retry_after(response: httpx2.Response) -> float | None:
    """Return the header's seconds. Its other form, a date, is not used by the API."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None
