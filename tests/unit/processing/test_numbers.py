"""Whole numbers are taken as JSON Schema says, and in no other way."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tandem.processing import WholeNumber


def test_a_whole_number_may_be_written_with_a_point():
    assert TypeAdapter(WholeNumber).validate_python(34.0) == 34


@pytest.mark.parametrize("value", ["34", True, 34.5, None])
def test_no_text_no_boolean_and_no_fraction_is_a_whole_number(value):
    with pytest.raises(ValidationError):
        TypeAdapter(WholeNumber).validate_python(value)
