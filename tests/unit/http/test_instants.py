"""A moment is taken as RFC 3339 writes it, and in no other way."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from tandem.http.strict_json import Instant

INSTANT = TypeAdapter(Instant)


@pytest.mark.parametrize(
    "text",
    ["2026-01-15T09:30:00Z", "2026-01-15t09:30:00.000z", "2026-01-15T11:30:00+02:00"],
)
def test_rfc_3339_is_taken_and_is_utc(text):
    assert INSTANT.validate_python(text) == datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    assert INSTANT.validate_python(text).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        0,
        1.5,
        True,
        "0.5",
        "1768469400",
        "2026-01-15",
        "2026-01-15T09:30:00",
        "2026-01-15 09:30:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_anything_else_is_refused(value):
    with pytest.raises(ValidationError):
        INSTANT.validate_python(value)
