from datetime import UTC, datetime, timedelta

import pytest

from tandem.domain.redelivery import LONGEST, Redelivery, asked_wait
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


def test_the_default_spreads_attempts_over_most_of_a_day() -> None:
    waits = Settings().callback_retry_seconds
    assert list(waits) == sorted(waits)
    assert timedelta(hours=12) < timedelta(seconds=sum(waits)) < timedelta(hours=24)
