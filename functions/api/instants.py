"""Moments as the document's JSON Schema says: Pydantic alone would take other values as well."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

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
    """Return the moment in UTC; its first and last years have none for every offset."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        message = "it lies outside of the years 1 to 9999 in UTC"
        raise ValueError(message) from None


Instant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
