"""When a callback that was not taken is sent again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST = timedelta(hours=11)
"""SQS hides a message for at most 12 hours from its receipt."""

_SECONDS_DIGITS = 9
"""Some thirty years: more digits ask for no more than the longest wait."""

_DATE_CHARACTERS = 64
"""More than any form of a date that RFC 9110 has."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The waits between attempts: as many attempts are made, and one more."""

    waits: tuple[timedelta, ...]

    def wait(
        self,
        attempts: int,
        asked: timedelta | None = None,
        *,
        fraction: Callable[[], float] = random.random,
    ) -> timedelta | None:
        """Return how long to wait after so many attempts, or None when that was the last.

        Args:
            attempts: how many were made, from 1.
            asked: how long the receiver asked to be left alone. A longer wait than our own is
                kept, up to `LONGEST`; a shorter one is not.
            fraction: from 0 to 1; up to a tenth is added, so that not all come back at once.
        """
        if attempts > len(self.waits):
            return None
        own = self.waits[attempts - 1] * (1 + fraction() / 10)
        return min(max(own, asked or own), LONGEST)


def asked_wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for (RFC 9110, section 10.2.3); else None.

    It is never less than nothing or more than `LONGEST`.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = text.lstrip("0")[:_SECONDS_DIGITS] or "0"
        return min(timedelta(seconds=int(seconds)), LONGEST)
    if not 0 < len(text) <= _DATE_CHARACTERS:
        return None
    from email.utils import parsedate_to_datetime  # 20 modules, for a header that is seldom a date

    try:
        wait = parsedate_to_datetime(text) - now
    except Exception:  # noqa: BLE001 - the parser documents ValueError, and raises others as well
        return None
    return min(max(wait, timedelta(0)), LONGEST)
