"""Every effect store keeps what is begun and what is answered, for who holds the task alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tandem.aws.dynamodb_effects import DynamoDBEffectStore
from tandem.contended import Contended
from tandem.tasks.effects import ANSWER_BYTES, Effect, NotHeld
from tandem.tasks.task import Fence, InlinePayload, Progress, State, Task
from tandem.tasks.transitions import report_progress, succeed
from tandem_tools.harness.tasks import NOON
from tests.adapter.conftest import Ports
from tests.factories.effects import LEASE, begun_effect, held_task

KEY = "a" * 64


def held(ports: Ports, **fields: Any) -> Task:
    """Return a task that is recorded, and that an attempt holds."""
    task = held_task(**fields)
    ports.tasks.put(task)
    return task


def test_an_effect_is_read_back_as_it_was_begun_and_as_it_was_answered(ports: Ports) -> None:
    task = held(ports)
    begun = begun_effect(task)
    assert ports.effects.get(KEY) is None
    assert ports.effects.write(begun, task.fence) == begun
    assert ports.effects.get(KEY) == begun
    answered = replace(begun, answer='{"charge":"Gebühr 😀"}')
    assert ports.effects.write(answered, task.fence, instead_of=begun) == answered
    assert ports.effects.get(KEY) == answered
    assert ports.effects.get("b" * 64) is None


def test_the_longest_answer_is_kept(ports: Ports) -> None:
    task = held(ports)
    effect = replace(begun_effect(task), answer="x" * ANSWER_BYTES)
    ports.effects.write(effect, task.fence)
    assert ports.effects.get(KEY) == effect


@pytest.mark.parametrize("answer", [None, "1"])
def test_what_was_begun_is_not_begun_anew(ports: Ports, answer: str | None) -> None:
    task = held(ports)
    first = replace(begun_effect(task), answer=answer)
    ports.effects.write(first, task.fence)
    other = held(ports)
    second = begun_effect(other, "call-2")
    assert ports.effects.write(second, other.fence) == first
    assert ports.effects.get(KEY) == first


def test_what_was_begun_is_replaced_by_who_saw_it(ports: Ports) -> None:
    task, other = held(ports), held(ports)
    first, second = begun_effect(task), begun_effect(other, "call-2")
    ports.effects.write(first, task.fence)
    assert ports.effects.write(second, other.fence, instead_of=first) == second
    third = begun_effect(other, "call-3")
    assert ports.effects.write(third, other.fence, instead_of=first) == second
    assert ports.effects.get(KEY) == second


def test_an_answer_is_replaced_by_nobody(ports: Ports) -> None:
    task = held(ports)
    begun = begun_effect(task)
    answered = replace(begun, answer="1")
    ports.effects.write(begun, task.fence)
    ports.effects.write(answered, task.fence, instead_of=begun)
    for late in (replace(begun, answer="2"), begun_effect(task, "call-2")):
        assert ports.effects.write(late, task.fence, instead_of=begun) == answered
    assert ports.effects.get(KEY) == answered


def test_an_answer_is_recorded_though_its_beginning_is_gone(ports: Ports) -> None:
    task = held(ports)
    begun = begun_effect(task)
    answered = replace(begun, answer="1")
    assert ports.effects.write(answered, task.fence, instead_of=begun) == answered
    assert ports.effects.get(KEY) == answered


def test_a_write_that_is_made_again_is_ones_own(ports: Ports) -> None:
    task = held(ports)
    begun = begun_effect(task)
    answered = replace(begun, answer="1")
    for _ in range(2):
        assert ports.effects.write(begun, task.fence) == begun
    for _ in range(2):
        assert ports.effects.write(answered, task.fence, instead_of=begun) == answered


FENCES = {
    "another attempt": lambda fence: replace(fence, attempt=fence.attempt + 1),
    "another lease": lambda fence: replace(fence, lease_until=fence.lease_until + LEASE),
}


@pytest.mark.parametrize("other", FENCES)
@pytest.mark.parametrize("answer", [None, "1"])
def test_only_the_attempt_that_holds_the_task_writes(
    ports: Ports, other: str, answer: str | None
) -> None:
    task = held(ports)
    begun = begun_effect(task)
    fence: Fence = FENCES[other](task.fence)
    effect = replace(begun, answer=answer)
    with pytest.raises(NotHeld):
        ports.effects.write(effect, fence)
    assert ports.effects.get(KEY) is None
    ports.effects.write(begun, task.fence)
    with pytest.raises(NotHeld):
        ports.effects.write(effect, fence, instead_of=begun)
    assert ports.effects.get(KEY) == begun


def test_an_attempt_of_a_task_that_ended_or_that_is_gone_writes_nothing(ports: Ports) -> None:
    task = held(ports)
    end = succeed(task, now=NOON, expires_at=NOON + LEASE, output=InlinePayload("{}"))
    assert ports.tasks.change(task.task_id, end).state is State.SUCCEEDED
    gone = held_task()
    for one in (task, gone):
        with pytest.raises(NotHeld):
            ports.effects.write(begun_effect(one), one.fence)
    assert ports.effects.get(KEY) is None


def test_a_write_leaves_the_task_as_it_is(ports: Ports) -> None:
    task = held(ports)
    ports.effects.write(begun_effect(task), task.fence)
    assert ports.tasks.get(task.task_id) == task


def test_an_effect_is_kept_for_longer_and_never_for_less(ports: Ports) -> None:
    task = held(ports)
    effect = begun_effect(task)
    ports.effects.write(effect, task.fence)
    later = effect.expires_at + timedelta(days=1)
    for until in (later, effect.expires_at, later):
        ports.effects.keep(KEY, until)
        assert ports.effects.get(KEY) == replace(effect, expires_at=later)
    ports.effects.keep("b" * 64, later)
    assert ports.effects.get("b" * 64) is None


def test_of_many_that_begin_one_effect_at_once_one_does(concurrent_ports: Ports) -> None:
    ports = concurrent_ports
    tasks = [held(ports) for _ in range(6)]
    effects = [begun_effect(task, f"call-{number}") for number, task in enumerate(tasks)]

    def begin(pair: tuple[Task, Effect]) -> Effect:
        task, effect = pair
        return ports.effects.write(effect, task.fence)

    with ThreadPoolExecutor(6) as threads:
        written = list(threads.map(begin, zip(tasks, effects, strict=True)))
    present = ports.effects.get(KEY)
    assert present in effects
    assert written == [present] * len(effects)


def test_effects_and_progress_of_one_task_do_not_fail_each_other(concurrent_ports: Ports) -> None:
    ports = concurrent_ports
    task = held(ports)

    def progress(done: int) -> None:
        ports.tasks.change(task.task_id, report_progress(task, Progress(done, None, "")))

    def begin(number: int) -> None:
        key = f"{number:064x}"
        effect = begun_effect(task, key=key)
        assert ports.effects.write(effect, task.fence) == effect

    with ThreadPoolExecutor(4) as threads:
        done = [
            threads.submit(partial(work, number))
            for number in range(8)
            for work in (progress, begin)
        ]
        for future in done:
            future.result(30)


class ConflictingClient:
    """A DynamoDB client whose transactions meet others, or whose answers are lost."""

    def __init__(self, client: Any, *, conflicts: int = 0, lost: int = 0) -> None:
        self._client = client
        self._conflicts = conflicts
        self._lost = lost
        self.tokens: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.tokens.append(request["ClientRequestToken"])
        if self._conflicts:
            self._conflicts -= 1
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            raise self._canceled(reasons)
        while self._lost:
            # The SDK sends a request again when its answer was lost.
            self._lost -= 1
            self._client.transact_write_items(**request)
        return self._client.transact_write_items(**request)

    def _canceled(self, reasons: list[dict[str, str]]) -> ClientError:
        response: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": reasons,
        }
        error: ClientError = self._client.exceptions.TransactionCanceledException(
            response, "TransactWriteItems"
        )
        return error


def over(ports: Ports, **options: int) -> tuple[DynamoDBEffectStore, ConflictingClient]:
    assert ports.clients is not None
    client = ConflictingClient(ports.clients.dynamodb, **options)
    return DynamoDBEffectStore(client, table_of(ports)), client  # type: ignore[arg-type]


def table_of(ports: Ports) -> str:
    assert ports.clients is not None
    (name,) = ports.clients.dynamodb.list_tables()["TableNames"]
    return name


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.aws.contention.time.sleep", lambda _: None)


def test_a_transaction_that_meets_another_is_made_again_with_the_same_token(
    on_moto: Ports,
) -> None:
    task = held(on_moto)
    store, client = over(on_moto, conflicts=3)
    effect = begun_effect(task)
    assert store.write(effect, task.fence) == effect
    assert len(client.tokens) == 4
    assert len(set(client.tokens)) == 1
    assert len(client.tokens[0]) <= 36
    store.write(replace(effect, answer="1"), task.fence, instead_of=effect)
    assert len(set(client.tokens)) == 2


def test_a_transaction_that_meets_others_all_the_while_fails(on_moto: Ports) -> None:
    task = held(on_moto)
    store, _ = over(on_moto, conflicts=100)
    with pytest.raises(Contended):
        store.write(begun_effect(task), task.fence)
    assert store.get(KEY) is None


def test_a_write_whose_answer_was_lost_is_ones_own(on_moto: Ports) -> None:
    task = held(on_moto)
    store, _ = over(on_moto, lost=1)
    effect = begun_effect(task)
    assert store.write(effect, task.fence) == effect
    store, _ = over(on_moto, lost=1)
    answered = replace(effect, answer="1")
    assert store.write(answered, task.fence, instead_of=effect) == answered


def test_an_item_has_no_key_of_an_index(on_moto: Ports) -> None:
    task = held(on_moto)
    on_moto.effects.write(replace(begun_effect(task), answer="1"), task.fence)
    assert on_moto.clients is not None
    client, table = on_moto.clients.dynamodb, table_of(on_moto)
    described = client.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]
    for index in described:
        items = client.scan(TableName=table, IndexName=index["IndexName"])["Items"]
        assert all(item["pk"]["S"].startswith("task#") for item in items)
