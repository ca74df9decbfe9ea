import pytest

from tandem.ids import TaskId
from tandem.tasks.effects import check_call, check_key, check_unknown, idempotency_key

TASK = TaskId("0190-task")


def test_a_key_is_the_same_for_the_same_effect_and_another_for_any_other() -> None:
    keys = {
        idempotency_key(TASK, "pay", "charge"),
        idempotency_key(TaskId("0190-other"), "pay", "charge"),
        idempotency_key(TASK, "ship", "charge"),
        idempotency_key(TASK, "pay", "charge 2"),
        idempotency_key(TASK, 'pay", "', "charge"),
        idempotency_key(TASK, "pay", "charge\n"),
    }
    assert len(keys) == 6
    assert idempotency_key(TASK, "pay", "charge") in keys


@pytest.mark.parametrize("key", ["charge", "Gebühr 😀", "\ud800", "a\r\nb", "x" * 255])
def test_a_key_fits_a_header(key: str) -> None:
    check_key(key)
    made = idempotency_key(TASK, "pay", key)
    assert len(made) == 64
    assert made.isascii()
    assert made.isalnum()


@pytest.mark.parametrize("key", ["", "x" * 256, None, 7, b"charge"])
def test_a_key_that_cannot_be_is_refused(key: object) -> None:
    with pytest.raises(ValueError, match="a text of 1 to 255 characters"):
        check_key(key)


async def charge_later(key: str) -> str:
    return key


@pytest.mark.parametrize("call", [charge_later, None, {"charge": 1}])
def test_a_call_that_makes_nothing_is_refused(call: object) -> None:
    with pytest.raises(TypeError, match="a plain function"):
        check_call(call)


def test_an_unknown_effect_fails_or_is_made_again_and_nothing_else() -> None:
    check_unknown("fail")
    check_unknown("again")
    with pytest.raises(ValueError, match="not 'ignore'"):
        check_unknown("ignore")
