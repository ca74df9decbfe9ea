"""A processor's output as JSON."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from tandem.domain.retry import OwnFault


class BadOutput(OwnFault):
    """The processor returned what is no JSON document of its output model."""


def dump_output(name: str, output: Any, model: type[BaseModel]) -> bytes:
    """Return the JSON of what a processor returned.

    Raises:
        BadOutput: it is not of the processor's output model, JSON cannot hold it, or it holds NaN
            or an infinity, which JSON would lose.
    """
    if not isinstance(output, model):
        message = f"{name} returned {type(output).__name__}, and should have {model.__name__}"
        raise BadOutput(message)
    try:
        document = output.model_dump_json(by_alias=True).encode()
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        message = f"the output of {name} is no JSON: {_kind(error)}"
        raise BadOutput(message) from None
    # JSON has null in their place, or a word of JavaScript's: only such a document is looked at.
    if b"null" in document or b"NaN" in document or b"Infinity" in document:
        lost = _not_finite(output.model_dump(by_alias=True), json.loads(document), "")
        if lost is not None:
            message = f"the output of {name} holds NaN or an infinity at {lost or '/'}"
            raise BadOutput(message)
    return document


def _kind(error: Exception) -> str:
    """Return what is wrong, without what the output holds."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it holds text that is no Unicode"
    return "it holds a value that JSON cannot hold"


def _not_finite(value: Any, written: Any, place: str) -> str | None:
    """Return where a float was lost that JSON cannot hold, as a JSON pointer; None if nowhere."""
    if isinstance(value, float):
        lost = not isfinite(value) and not isinstance(written, str)
        return place if lost else None
    parts: Any = ()
    if isinstance(value, Mapping) and isinstance(written, dict):
        # A key that is no text was written as one, at the same place in the order.
        parts = zip(value.values(), written.items(), strict=False)
        parts = ((part, text, name) for part, (name, text) in parts)
    elif isinstance(value, list | tuple) and isinstance(written, list):
        parts = (
            (part, text, n) for n, (part, text) in enumerate(zip(value, written, strict=False))
        )
    for part, text, name in parts:
        lost_at = _not_finite(part, text, f"{place}/{name}")
        if lost_at is not None:
            return lost_at
    return None
