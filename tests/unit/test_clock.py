from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem import clock
from tandem.clock import SystemClock, from_text, to_text, whole_milliseconds

ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)  # noqa: DTZ001


@given(st.floats(min_value=0, max_value=4e9, allow_nan=False))
def test_the_machines_clock_tells_whole_milliseconds_as_the_store_keeps_them(now: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "time", lambda: now)
        told = SystemClock().now()
    assert told.tzinfo is UTC
    assert from_text(to_text(told)) == told
    assert 0 <= round(now - told.timestamp(), 6) <= 0.001


@given(MOMENTS, MOMENTS)
def test_a_moment_is_written_in_utc_in_one_length_and_sorts_as_it_reads(
    moment: datetime, other: datetime
) -> None:
    text = to_text(moment)
    assert from_text(text) == whole_milliseconds(moment)
    assert (len(text), text[-1]) == (len("2026-01-01T12:00:00.000Z"), "Z")
    later = whole_milliseconds(moment) < whole_milliseconds(other)
    assert (text < to_text(other)) is later
