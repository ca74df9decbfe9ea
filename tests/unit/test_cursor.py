from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.cursor import CURSOR_CHARACTERS, CursorInvalid, place_of, to_cursor

PLACE = "2026-01-01T12:00:00.000Z#019b796d-d600-7454-b51c-c9c0a1b1ac50"
CURSOR = to_cursor(PLACE)


def encoded(place: str) -> str:
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def test_a_cursor_names_the_place_it_was_made_of() -> None:
    assert place_of(CURSOR) == PLACE
    assert len(CURSOR) <= CURSOR_CHARACTERS


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        " ",
        PLACE,
        CURSOR[:-1],
        CURSOR + "A",
        CURSOR + "=",
        CURSOR + "\n",
        "!" + CURSOR,
        CURSOR[:10] + "." + CURSOR[10:],
        CURSOR * 5,
        "x" * 5000,
        "\ud800",
        "😀",
        "_____w",
        encoded(" "),
        encoded("9999"),
        encoded("~"),
        encoded(PLACE.replace("2026", "٢٠٢٦")),
        encoded(PLACE + "\n"),
        encoded("\x00" + PLACE),
    ],
    ids=lambda cursor: ascii(cursor[:30]),
)
def test_any_other_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        place_of(cursor)


@given(st.text())
def test_no_text_breaks_it(cursor: str) -> None:
    try:
        place = place_of(cursor)
    except CursorInvalid:
        return
    assert to_cursor(place) == cursor
