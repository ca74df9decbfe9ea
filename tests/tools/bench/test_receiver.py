"""The receiver of outside effects: which it has, and which answers it loses."""

import json
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tandem_tools.bench.fault_receiver import CHARGE, LOSSES, MAIL, EffectReceiver, effect_receiver


@pytest.fixture
def receiver() -> Iterator[EffectReceiver]:
    with effect_receiver() as running:
        yield running


def ask(receiver: EffectReceiver, place: str, key: str, number: int = 1) -> str | None:
    """Return the id of the effect; None when the answer was lost."""
    body = json.dumps({"seed": 1, "number": number}).encode()
    request = Request(receiver.url + place, data=body, headers={"Idempotency-Key": key})  # noqa: S310
    try:
        with urlopen(request, timeout=5) as response:  # noqa: S310 - loopback
            booking: str = json.load(response)["id"]
            return booking
    except (URLError, ConnectionError):
        return None


def test_one_key_has_one_effect_where_keys_are_honoured(receiver: EffectReceiver) -> None:
    answers = {ask(receiver, CHARGE, "key") for _ in range(LOSSES + 2)}

    assert [one.booking_id for one in receiver.bookings.made] == list(answers - {None})
    ask(receiver, CHARGE, "another key")
    assert [one.key for one in receiver.bookings.made] == ["key", "another key"]


def test_each_request_has_an_effect_where_they_are_not(receiver: EffectReceiver) -> None:
    for _ in range(3):
        ask(receiver, MAIL, "key")

    assert len(receiver.bookings.made) == 3


def test_some_answers_are_lost_of_each_number_two_at_most(receiver: EffectReceiver) -> None:
    answers = [ask(receiver, CHARGE, f"{number}", number) for number in range(40) for _ in "1234"]

    assert 0 < answers.count(None) < len(answers) // 2
    assert max(receiver.bookings.lost.values()) == LOSSES
    assert sum(receiver.bookings.lost.values()) == answers.count(None)
    assert len(receiver.bookings.made) == 40, "an effect whose answer was lost has happened"
