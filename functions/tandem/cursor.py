"""Cursors of listings: the place of a page's last item, as one opaque text.

A cursor holds a place and no tenant: whoever sends it reads on among his own items.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

from tandem.clock import to_text
from tandem.ids import TaskId

CURSOR_CHARACTERS = 256

_PLACE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z#[0-9a-f-]{36}"
)
"""A moment as `to_text` writes it, and an id: unique, and sorted as tasks were made."""


class CursorInvalid(Exception):
    """No listing gave this cursor."""


def place_in(moment: datetime, task_id: TaskId) -> str:
    """Return the place of a task in a listing that goes by such moments."""
    return f"{to_text(moment)}#{task_id}"


def to_cursor(place: str) -> str:
    """Return the cursor of the page that follows a place."""
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str) -> str:
    """Return the place that a cursor names.

    Raises:
        CursorInvalid: no listing gave this cursor.
    """
    if len(cursor) > CURSOR_CHARACTERS:
        raise CursorInvalid
    try:
        place = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise CursorInvalid from None
    # The decoder passes over what is no base64, and takes several texts for one place.
    if not _PLACE.fullmatch(place) or to_cursor(place) != cursor:
        raise CursorInvalid
    return place
