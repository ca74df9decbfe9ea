"""Whole numbers as JSON Schema has them."""

from typing import Annotated, Any

from pydantic import BeforeValidator


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
