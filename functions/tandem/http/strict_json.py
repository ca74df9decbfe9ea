"""JSON bodies and moments, read strictly: what readers disagree about is refused.

Python's own reader, which FastAPI uses, takes NaN, numbers beyond a double, half a surrogate pair
and any of two values of one name. Each would fail, or become something else, further on. Pydantic
alone takes other moments than the document's JSON Schema says.
"""

import json
import math
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import from_json

from tandem.http.headers import check_coding
from tandem.http.problems import invalid
from tandem.limits import JSON_DEPTH

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")


def _written(value: Any) -> Any:
    """Refuse seconds since 1970, blanks, a date alone."""
    if isinstance(value, str) and not _RFC_3339.fullmatch(value):
        message = "write it as in RFC 3339: 2026-01-15T09:30:00Z"
        raise ValueError(message)
    if isinstance(value, int | float):
        message = "write it as a text, as in RFC 3339: 2026-01-15T09:30:00Z"
        raise ValueError(message)  # noqa: TRY004 - Pydantic takes this one for a refusal
    return value


def _in_utc(value: datetime) -> datetime:
    """Return the moment in UTC. Its first and last years have none for every offset."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        message = "it lies outside of the years 1 to 9999 in UTC"
        raise ValueError(message) from None


Instant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]


_TOO_DEEP = "recursion limit"


class StrictJsonRoute(APIRoute):
    """A route whose JSON body is I-JSON (RFC 7493), at most `JSON_DEPTH` levels deep.

    Anything else is answered with 422.

    Example:
        router = APIRouter(route_class=StrictJsonRoute)
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_strictly(request: Request) -> Response:
            return await answer(_StrictRequest(request.scope, request.receive))

        return answer_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return the body's value, or answer 422. 415 when it is encoded."""
        try:
            return read(await self.body())
        except ValueError as error:
            # FastAPI reads the body before it looks at dependencies, and an encoded one is no JSON.
            check_coding(self.headers)
            raise invalid("/body", str(error)) from None


def read(document: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        ValueError: it is none. The message says what is wrong and where, and quotes nothing.
    """
    try:
        from_json(document, allow_inf_nan=False)
    except ValueError as error:
        if _TOO_DEEP in str(error):
            message = f"The JSON is nested more than {JSON_DEPTH} levels deep."
            raise ValueError(message) from None
        message = f"The JSON cannot be read: {error}."
        raise ValueError(message) from None
    return json.loads(document, object_pairs_hook=_unique, parse_float=_finite)


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        message = "An object has the same name twice."
        raise ValueError(message)
    return value


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        message = "A number is larger than a double holds."
        raise ValueError(message)
    return value
