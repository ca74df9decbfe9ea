from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from tandem.domain.ids import TenantId
from tests.adapter.conftest import Ports
from tests.factories.tasks import ACME, NOON


def take(ports: Ports, tokens: int = 1, *, now: datetime = NOON, tenant: str = ACME) -> float:
    """Return how many seconds are missing; 0 when the tokens were there."""
    missing = ports.quotas.take(TenantId(tenant), tokens, per_second=2, burst=4, now=now)
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


def test_more_than_a_burst_at_once_is_never_given(ports: Ports) -> None:
    assert take(ports, 5) == 0.5


def test_many_takers_at_once_get_no_more_than_the_burst(concurrent_ports: Ports) -> None:
    with ThreadPoolExecutor(4) as threads:
        given = [
            missing == 0 for missing in threads.map(lambda _: take(concurrent_ports), range(12))
        ]
    assert sum(given) <= 4
    assert sum(given) >= 1
