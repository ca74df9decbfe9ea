from typing import Any

import pytest

from tandem.processing import EffectUnknown, TaskContext
from tandem.testing import FakeContext
from tests.factories.effects import Receiver


@pytest.fixture
def bank() -> Receiver:
    return Receiver()


def test_an_effect_is_made_once_for_each_key_and_recorded(bank: Receiver) -> None:
    context = FakeContext()
    first = context.once("charge 1", bank.charge)
    assert context.once("charge 1", bank.charge) == first
    context.once("charge 2", bank.charge)
    assert context.effects == ["charge 1", "charge 2"]
    assert len(set(bank.keys)) == 2
    assert all(len(key) == 64 for key in bank.keys)


def test_an_answer_of_an_earlier_attempt_is_returned_without_a_call(bank: Receiver) -> None:
    context = FakeContext(answers={"charge": {"charge": "ch_1"}}, attempt=2)
    assert context.once("charge", bank.charge) == {"charge": "ch_1"}
    assert context.effects == bank.calls == []


def test_an_effect_that_was_begun_is_unknown_or_made_again(bank: Receiver) -> None:
    context = FakeContext(begun=["charge"])
    with pytest.raises(EffectUnknown, match="charge"):
        context.once("charge", bank.charge)
    assert bank.calls == []
    context.once("charge", bank.charge, unknown="again")
    assert context.effects == ["charge"]


def test_a_call_that_raises_leaves_its_effect_begun(bank: Receiver) -> None:
    context = FakeContext()

    def break_down(key: str) -> Any:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        context.once("charge", break_down)
    with pytest.raises(EffectUnknown):
        context.once("charge", bank.charge)


def test_a_task_has_an_id_that_a_test_may_choose() -> None:
    context: TaskContext = FakeContext(task_id="0190")
    assert context.task_id == "0190"
    assert FakeContext().task_id != FakeContext().task_id
