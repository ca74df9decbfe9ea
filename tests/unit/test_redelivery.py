from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.callbacks.deliveries import LONGEST, Redelivery, asked_wait
from tandem.settings import Settings

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_waits_come_in_turn_then_it_was_the_last() -> None:
    redelivery = Redelivery((SECOND, HOUR))
    waits = [redelivery.wait(attempts, fraction=lambda: 0) for attempts in (1, 2, 3)]
    assert waits == [SECOND, HOUR, None]


def test_up_to_a_tenth_is_added() -> None:
    assert Redelivery((HOUR,)).wait(1, fraction=lambda: 1) == 1.1 * HOUR


@pytest.mark.parametrize(
    ("asked", "kept"), [(timedelta(0), HOUR), (2 * HOUR, 2 * HOUR), (48 * HOUR, LONGEST)]
)
def test_a_receiver_may_ask_for_a_longer_wait_within_bounds(
    asked: timedelta, kept: timedelta
) -> None:
    assert Redelivery((HOUR,)).wait(1, asked, fraction=lambda: 0) == kept


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (" 1 ", SECOND),
        ("0000000000120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("9" * 30, LONGEST),
        ("Thu, 01 Jan 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("Thu, 01 Jan 2026 11:00:00 GMT", timedelta(0)),
        ("Thu, 01 Jan 2026 12:10:00", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_ignored(
    header: str | None, wait: timedelta | None
) -> None:
    assert asked_wait(header, NOW) == wait


HOSTILE = [
    "Mon, 1 Jan 99999999999999999999 00:00:00 GMT",
    "Mon, 99999999999999999999 Jan 2027 00:00:00 GMT",
    "Mon, 1 Jan 2027 99999999999999999999:00:00 GMT",
    "Mon, 1 Jan 2027 00:99999999999999999999:00 GMT",
    "Mon, 1 Jan 2027 00:00:00 +99999999999999",
    "Mon, 1 Jan 2027 00:00:00 -999999999",
    "1 Jan 99999 00:00 +0000",
    "Mon, 31 Feb 2027 00:00:00 GMT",
    "Mon",
    "  ,,,",
    ":::: :: ::",
    "Jan 1 1 1 1 1",
    "0 0 0 0 0",
    "١٢",
    "1e400",
    "1.5",
    "+5",
    "\x00",
    "\ud800",
    "120, 120",
    "Mon, " + "1 " * 30_000,
    "(" * 10_000,
]


@pytest.mark.parametrize("header", HOSTILE, ids=lambda header: ascii(header[:40]))
def test_a_retry_after_that_is_no_wait_is_ignored(header: str) -> None:
    assert asked_wait(header, NOW) is None


@pytest.mark.parametrize(
    "header",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Fri, 02 Jan 2026 12:00:00 GMT",
        "9" * 60_000,
        "0" * 60_000 + "9" * 9,
    ],
    ids=lambda header: header[:40],
)
def test_no_receiver_is_left_alone_for_longer_than_the_longest_wait(header: str) -> None:
    assert asked_wait(header, NOW) == LONGEST


@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_no_text_is_more_than_a_wait_within_bounds(header: str) -> None:
    wait = asked_wait(header, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST


def test_the_default_spreads_attempts_over_most_of_a_day() -> None:
    waits = Settings().callback_retry_seconds
    assert list(waits) == sorted(waits)
    assert timedelta(hours=12) < timedelta(seconds=sum(waits)) < timedelta(hours=24)
