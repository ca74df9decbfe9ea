from datetime import timedelta

import pytest

from tandem.tasks.retry import MAX_ATTEMPTS, Permanent, Retry


def test_the_longest_wait_doubles_up_to_its_maximum() -> None:
    retry = Retry(attempts=6, min_backoff_seconds=2, max_backoff_seconds=20)
    waits = [retry.ceiling(attempt).total_seconds() for attempt in range(1, 7)]
    assert waits == [2, 4, 8, 16, 20, 20]


def test_a_wait_is_drawn_from_zero_to_its_ceiling() -> None:
    retry = Retry(min_backoff_seconds=8)
    assert retry.delay(2, fraction=lambda: 0.0) == timedelta(0)
    assert retry.delay(2, fraction=lambda: 0.25) == timedelta(seconds=4)
    drawn = {retry.delay(2) for _ in range(100)}
    assert len(drawn) > 90
    assert max(drawn) <= timedelta(seconds=16)


def test_permanent_and_named_errors_are_not_retried() -> None:
    retry = Retry(throws=(KeyError,))
    assert not retry.allows(Permanent("no"))
    assert not retry.allows(KeyError("x"))
    assert retry.allows(ConnectionError())


@pytest.mark.parametrize(
    "fields",
    [
        {"attempts": 0},
        {"attempts": MAX_ATTEMPTS + 1},
        {"min_backoff_seconds": -1},
        {"min_backoff_seconds": 10, "max_backoff_seconds": 5},
        {"max_backoff_seconds": 4000},
    ],
)
def test_a_policy_that_the_queue_could_not_carry_out_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        Retry(**fields)
