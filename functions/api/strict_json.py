"""JSON bodies, read strictly: what readers disagree about, or choke on, is refused.

Python's own reader, which FastAPI uses, takes NaN, numbers beyond a double, half a surrogate pair
and any of two values of one name; each would fail, or become something else, further on.
"""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from api.negotiation import check_coding
from api.problems import invalid
from tandem.limits import JSON_DEPTH

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
        """Return the body's value, or answer 422; 415 when it is encoded."""
        try:
            return read(await self.body())
        except ValueError as error:
            # FastAPI reads the body before it looks at dependencies, and an encoded one is no JSON.
            check_coding(self.headers)
            raise invalid("/body", str(error)) from None


def read(document: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        ValueError: it is none; the message says what is wrong and where, and quotes nothing.
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
