"""An effect's answer as JSON."""

import json
from typing import Any

from pydantic import BaseModel

from tandem.tasks.effect import ANSWER_BYTES
from tandem.tasks.retry import OwnFault


class BadAnswer(OwnFault):
    """The call of an effect returned what is no JSON, or too much of it."""


def dump_answer(key: str, answer: Any) -> str:
    """Return the JSON of what the call of an effect returned.

    Args:
        key: the effect's key, for the error.
        answer: a dict whose names are texts, a list, a text, a number, a boolean, None, or a
            Pydantic model.

    Raises:
        BadAnswer: JSON cannot hold it, or it is too long.
    """
    try:
        document = json.dumps(_plain(answer), allow_nan=False, ensure_ascii=False)
        size_bytes = len(document.encode())
        json.loads(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise _bad(key, f"JSON cannot hold its answer ({_fault(error)})") from None
    if size_bytes > ANSWER_BYTES:
        raise _bad(key, f"its answer has {size_bytes} bytes as JSON, and may have {ANSWER_BYTES}")
    return document


def _plain(value: Any) -> Any:
    """Return a value with plain ones in the place of models."""
    if isinstance(value, BaseModel):
        # Pydantic's warnings quote the answer, and would be logged.
        return value.model_dump(mode="json", by_alias=True, warnings="none")
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _fault(error: Exception) -> str:
    """Return what is wrong, without what the answer holds."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it holds text that is no Unicode"
    if isinstance(error, TypeError):
        return "it holds a value of another type, or a name that is no text"
    return "it holds NaN, an infinity, or another value that JSON has not"


def _bad(key: str, fault: str) -> BadAnswer:
    message = f"The effect {key!r} may have happened, and cannot be recorded: {fault}."
    return BadAnswer(message)
