"""A fault plan decides by its seed, an operation and a number, and by nothing else."""

from collections import Counter

import pytest

from tandem_tools.bench.fault_plan import (
    ANYWHERE,
    OF_BATCHES,
    OF_TRANSACTIONS,
    READS_PART,
    Fault,
    Plan,
)

NUMBERS = range(1, 3001)


def decisions(plan: Plan, operation: str = "dynamodb.PutItem") -> list[object]:
    return [plan.decide(operation, number) for number in NUMBERS]


def test_the_same_seed_decides_the_same_in_whatever_order_it_is_asked() -> None:
    plan = Plan(7)
    backwards = [plan.decide("dynamodb.PutItem", number) for number in reversed(NUMBERS)]
    assert decisions(Plan(7)) == backwards[::-1]


def test_another_seed_and_another_operation_decide_otherwise() -> None:
    assert decisions(Plan(7)) != decisions(Plan(8))
    assert decisions(Plan(7)) != decisions(Plan(7), "dynamodb.UpdateItem")


@pytest.mark.parametrize(
    ("operation", "faults"),
    [
        ("s3.GetObject", {*ANYWHERE}),
        ("dynamodb.UpdateItem", {*ANYWHERE, Fault.CONFLICT}),
        ("dynamodb.TransactWriteItems", {*ANYWHERE, *OF_TRANSACTIONS}),
        ("sqs.SendMessageBatch", {*ANYWHERE, *OF_BATCHES}),
    ],
)
def test_a_call_meets_each_fault_that_its_operation_can_have_and_no_other(
    operation: str, faults: set[Fault]
) -> None:
    met = Counter(one.fault for one in map(Plan(1).decide, [operation] * 3000, NUMBERS) if one)
    assert set(met) == faults


def test_the_rate_is_that_of_writes_and_reads_meet_a_part_of_it() -> None:
    writes = sum(one is not None for one in decisions(Plan(3, rate=0.2)))
    reads = sum(one is not None for one in decisions(Plan(3, rate=0.2), "dynamodb.Query"))
    assert writes / len(NUMBERS) == pytest.approx(0.2, rel=0.15)
    assert reads / len(NUMBERS) == pytest.approx(0.2 * READS_PART, rel=0.25)
    assert not any(decisions(Plan(3, rate=0)))


def test_some_faults_meet_every_attempt_of_the_sdk_and_a_late_answer_never_does() -> None:
    made = [one for one in map(Plan(5).decide, ["sqs.SendMessage"] * 3000, NUMBERS) if one]
    assert {one.stubborn for one in made} == {False, True}
    assert not any(one.stubborn for one in made if one.fault is Fault.LATE)


def test_a_plan_of_some_faults_has_no_others() -> None:
    plan = Plan(1, faults=[Fault.LOST])
    assert {one.fault for one in map(plan.decide, ["s3.PutObject"] * 3000, NUMBERS) if one} == {
        Fault.LOST
    }
    conflicts = Plan(1, faults=[Fault.CONFLICT])
    assert not any(decisions(conflicts, "s3.PutObject"))
