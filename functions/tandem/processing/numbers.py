"""Whole numbers as JSON Schema has them."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _number(value: Any) -> Any:
    """Refuse what Pydantic would take for a number as well: texts and booleans."""
    if isinstance(value, str | bool):
        message = "give a number"
        raise ValueError(message)  # noqa: TRY004 - Pydantic takes this one for a refusal
    return value


WholeNumber = Annotated[int, BeforeValidator(_number)]
"""An integer as a field of an input model: 34 and 34.0, but not "34" or true."""
