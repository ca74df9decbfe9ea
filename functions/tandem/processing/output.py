"""A processor's output as JSON, and whole numbers as JSON Schema has them."""

import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticSerializationError

from tandem.tasks.retry import OwnFault


def _number(value: Any) -> Any:
    """Refuse what Pydantic would take for a number as well: texts and booleans."""
    if isinstance(value, str | bool):
        message = "give a number"
        raise ValueError(message)  # noqa: TRY004 - Pydantic takes this one for a refusal
    return value


NUMBERS_ONLY = BeforeValidator(_number)
"""For an optional field with bounds: `Annotated[int, Field(ge=1), NUMBERS_ONLY] | None`. Pydantic
loses bounds that come after it there from the JSON Schema."""

WholeNumber = Annotated[int, NUMBERS_ONLY]
"""An integer as a field of an input model: 34 and 34.0, but not "34" or true."""


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
        # Pydantic's warnings quote the output, and would be logged.
        document = output.model_dump_json(by_alias=True, warnings="none").encode()
        lost = None
        # JSON has null in their place, or a word of JavaScript's: only such a document is read.
        if b"null" in document or b"NaN" in document or b"Infinity" in document:
            values = output.model_dump(by_alias=True, warnings="none")
            if _any_not_finite(values):
                lost = _lost(values, json.loads(document), "")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        message = f"the output of {name} is no JSON: {_kind(error)}"
        raise BadOutput(message) from None
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


def _any_not_finite(value: Any) -> bool:
    """Return whether a value holds such a float anywhere, in as little time as it takes to see."""
    kind = type(value)
    if kind is float:
        return not isfinite(value)
    if kind is str or kind is int or value is None:
        return False
    if kind is dict:
        return any(map(_any_not_finite, value.values()))
    if kind is list:
        return any(map(_any_not_finite, value))
    return _any_not_finite_in_another(value)


def _any_not_finite_in_another(value: Any) -> bool:
    if isinstance(value, float):
        return not isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_any_not_finite, value.values()))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return any(map(_any_not_finite, value))
    return False


def _lost(value: Any, written: Any, place: str) -> str | None:
    """Return where a float was lost that JSON cannot hold, as a JSON pointer. None if nowhere."""
    if isinstance(value, float):
        lost = not isfinite(value) and not isinstance(written, str)
        return place if lost else None
    for part, text, name in _parts(value, written):
        lost_at = _lost(part, text, f"{place}/{name}")
        if lost_at is not None:
            return lost_at
    return None


def _parts(value: Any, written: Any) -> Iterable[tuple[Any, Any, object]]:
    """Return each part of a value, what was written of it, and what that is named by."""
    if isinstance(value, Mapping) and isinstance(written, dict):
        # A key that is no text was written as one, at the same place in the order.
        pairs = zip(value.values(), written.items(), strict=False)
        return ((part, text, _escaped(name)) for part, (name, text) in pairs)
    if isinstance(value, str | bytes) or not isinstance(written, list):
        return ()
    if isinstance(value, AbstractSet):
        # A set has no order: its floats are held against all that was written of it.
        lost = [text for text in written if text is None or isinstance(text, float)]
        lost = [text for text in lost if text is None or not isfinite(text)]
        return ((part, lost[0] if lost else "", "*") for part in value)
    if isinstance(value, Iterable):
        numbered = enumerate(zip(value, written, strict=False))
        return ((part, text, number) for number, (part, text) in numbered)
    return ()


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
