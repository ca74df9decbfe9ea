"""Whole numbers are taken as JSON Schema says, and in no other way."""

from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from tandem.processing import WholeNumber
from tandem.processing.output import NUMBERS_ONLY


def test_a_whole_number_may_be_written_with_a_point():
    assert TypeAdapter(WholeNumber).validate_python(34.0) == 34


@pytest.mark.parametrize("value", ["34", True, 34.5, None])
def test_no_text_no_boolean_and_no_fraction_is_a_whole_number(value):
    with pytest.raises(ValidationError):
        TypeAdapter(WholeNumber).validate_python(value)


def test_the_json_schema_of_an_optional_one_keeps_its_bounds():
    bounded = TypeAdapter(Annotated[int, Field(ge=1, le=9), NUMBERS_ONLY] | None)
    assert {"type": "integer", "minimum": 1, "maximum": 9} in bounded.json_schema()["anyOf"]
    with pytest.raises(ValidationError):
        bounded.validate_python("5")
