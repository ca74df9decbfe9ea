from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tandem.aws.dynamodb_quotas import KNOWN_WRITES, DynamoDBQuotaStore
from tandem.ids import TenantId
from tandem.tenants.quota import MoreThanBurst
from tandem_tools.harness.tasks import ACME, NOON
from tests.adapter.conftest import Ports


def take(
    ports: Ports, tokens: int = 1, *, now: datetime = NOON, tenant: str = ACME, burst: int = 4
) -> float:
    """Return how many seconds are missing; 0 when the tokens were there."""
    missing = ports.quotas.take(TenantId(tenant), tokens, per_second=2, burst=burst, now=now)
    return missing.total_seconds() if missing else 0


def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(ports: Ports) -> None:
    assert [take(ports) for _ in range(6)] == [0, 0, 0, 0, 0.5, 0.5]
    assert take(ports, 3) == 1.5


def test_a_bucket_fills_again_with_time_and_never_over(ports: Ports) -> None:
    take(ports, 4)
    assert take(ports, now=NOON + timedelta(seconds=0.5)) == 0
    assert take(ports, now=NOON + timedelta(seconds=0.5)) == 0.5
    later = NOON + timedelta(hours=1)
    assert [take(ports, now=later) for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_tenants_do_not_share_a_bucket(ports: Ports) -> None:
    take(ports, 4)
    assert take(ports, tenant="other") == 0


def test_more_than_a_burst_at_once_is_refused_whatever_the_time(ports: Ports) -> None:
    for now in (NOON, NOON + timedelta(days=1)):
        with pytest.raises(MoreThanBurst) as refused:
            take(ports, 5, now=now)
        assert refused.value.burst == 4
    assert take(ports, 4, now=NOON) == 0


class LosesAnswers:
    """DynamoDB's client, whose every write is done and then repeated, as the SDK does it."""

    def __init__(self, client: Any, between: Callable[[], object] = lambda: None) -> None:
        self._client = client
        self._between = between

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **asked: Any) -> Any:
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(**asked)
        self._between()
        return self._client.update_item(**asked)


def losing_answers(ports: Ports, between: Callable[[], object] = lambda: None) -> Ports:
    assert isinstance(ports.quotas, DynamoDBQuotaStore)
    client: Any = LosesAnswers(ports.quotas._client, between)
    return replace(ports, quotas=DynamoDBQuotaStore(client, ports.quotas._table))


def test_a_write_whose_answer_was_lost_takes_its_tokens_once(on_moto: Ports) -> None:
    losing = losing_answers(on_moto)
    assert [take(losing) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert take(on_moto) == 0.5
    fresh = losing_answers(on_moto)  # another environment, that has not seen the bucket
    assert take(fresh, now=NOON + timedelta(seconds=0.5)) == 0
    assert take(fresh, now=NOON + timedelta(seconds=0.5)) == 0.5


@pytest.mark.parametrize("others", [1, KNOWN_WRITES - 1])
def test_a_write_whose_answer_was_lost_and_that_others_overtook_takes_its_tokens_once(
    others: int, on_moto: Ports
) -> None:
    def overtake() -> None:
        if not taken:
            taken.extend(take(on_moto, burst=30) for _ in range(others))

    taken: list[float] = []
    assert take(losing_answers(on_moto, overtake), burst=30) == 0
    assert taken == [0] * others
    left = 30 - 1 - others
    assert [take(on_moto, burst=30) for _ in range(left + 1)] == [*[0] * left, 0.5]


def test_another_takers_write_of_the_same_time_is_not_taken_for_ones_own(on_moto: Ports) -> None:
    assert isinstance(on_moto.quotas, DynamoDBQuotaStore)
    real: Any = on_moto.quotas._client
    others: list[float] = []

    class Overtaken(LosesAnswers):
        def update_item(self, **asked: Any) -> Any:
            if not others:
                others.append(take(on_moto, 3))
            return real.update_item(**asked)

    overtaken: Any = Overtaken(real)
    ours = replace(on_moto, quotas=DynamoDBQuotaStore(overtaken, on_moto.quotas._table))
    # Both write that the bucket is full at the same time, and both count.
    assert take(ours, 3) == 1
    assert others == [0]
    assert take(on_moto, 2) == 0.5
    assert take(on_moto) == 0


def test_a_bucket_is_remembered_until_it_is_full_again(on_moto: Ports) -> None:
    on_moto.quotas.take(ACME, 100, per_second=0.001, burst=100, now=NOON)
    assert on_moto.clients is not None
    assert isinstance(on_moto.quotas, DynamoDBQuotaStore)
    (item,) = on_moto.clients.dynamodb.scan(TableName=on_moto.quotas._table)["Items"]
    full_at = NOON + timedelta(seconds=100_000)
    assert int(item["expires_at"]["N"]) >= full_at.timestamp()


def test_many_takers_at_once_get_no_more_than_the_burst(concurrent_ports: Ports) -> None:
    with ThreadPoolExecutor(4) as threads:
        given = [
            missing == 0 for missing in threads.map(lambda _: take(concurrent_ports), range(12))
        ]
    assert sum(given) <= 4
    assert sum(given) >= 1
