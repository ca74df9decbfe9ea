import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tandem.tasks.effects import ANSWER_BYTES, BadAnswer, dump_answer
from tandem.tasks.retry import OwnFault


class Charge(BaseModel):
    charge_id: str = Field(serialization_alias="chargeId")
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    cents: float = 1.5


@pytest.mark.parametrize(
    "answer", [None, True, 0, -1.5, "", "Gebühr 😀", [], {}, {"a": [1, {"b": None}]}, 2**70]
)
def test_json_comes_back_as_it_was(answer: Any) -> None:
    assert json.loads(dump_answer("charge", answer)) == answer


def test_a_model_becomes_its_json_wherever_it_stands() -> None:
    charge = {"chargeId": "ch_1", "at": "2026-01-01T00:00:00Z", "cents": 1.5}
    made = Charge(charge_id="ch_1")
    assert json.loads(dump_answer("charge", made)) == charge
    assert json.loads(dump_answer("charge", {"all": (made, made)})) == {"all": [charge, charge]}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (float("nan"), "NaN"),
        ([float("inf")], "an infinity"),
        (Charge(charge_id="x", cents=float("nan")), "NaN"),
        (b"bytes", "another type"),
        ({1, 2}, "another type"),
        (Decimal("1.5"), "another type"),
        (datetime(2026, 1, 1, tzinfo=UTC), "another type"),
        ({1: "a"}, "a name that is no text"),
        ("\ud800", "no Unicode"),
        (nested(100_000), "nested too deeply"),
        (10**5000, "another value"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_refused(answer: Any, fault: str) -> None:
    with pytest.raises(BadAnswer, match=f"'charge' may have happened.*{fault}") as refused:
        dump_answer("charge", answer)
    assert isinstance(refused.value, OwnFault)


def test_an_answer_that_holds_itself_is_refused() -> None:
    answer: list[Any] = []
    answer.append(answer)
    with pytest.raises(BadAnswer, match="nested too deeply"):
        dump_answer("charge", answer)


def test_an_answer_may_have_64_kb_of_utf_8_and_no_more() -> None:
    assert len(dump_answer("charge", "x" * (ANSWER_BYTES - 2)).encode()) == ANSWER_BYTES
    for answer in ("x" * (ANSWER_BYTES - 1), "ü" * (ANSWER_BYTES // 2)):
        with pytest.raises(BadAnswer, match=r"has 6553[78] bytes as JSON, and may have 65536"):
            dump_answer("charge", answer)
