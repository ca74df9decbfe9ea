from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.domain import clock
from tandem.domain.clock import SystemClock, from_text, to_text


@given(st.floats(min_value=0, max_value=4e9, allow_nan=False))
def test_the_machines_clock_tells_whole_milliseconds_as_the_store_keeps_them(now: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "time", lambda: now)
        told = SystemClock().now()
    assert told.tzinfo is UTC
    assert from_text(to_text(told)) == told
    assert 0 <= round(now - told.timestamp(), 6) <= 0.001
