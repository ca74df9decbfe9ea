from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from tandem.ids import TenantId
from tandem.reports.histogram import RELATIVE_ERROR, Sketch
from tandem.reports.talkers import Talkers


@given(st.lists(st.integers(0, 30 * 24 * 3_600_000), min_size=1))
def test_a_percentile_is_within_the_sketchs_error_of_the_nearest_rank(values: list[int]) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    for percent in (1, 50, 95, 99, 100):
        exact = sorted(values)[ceil(len(values) * percent / 100) - 1]
        found = sketch.percentile_ms(percent)
        assert found is not None
        assert abs(found - exact) <= exact * RELATIVE_ERROR * 1.000001


def test_a_sketch_of_nothing_has_no_percentiles() -> None:
    assert Sketch().percentile_ms(50) is None


def test_a_sketchs_size_does_not_grow_with_what_it_counts() -> None:
    sketch = Sketch()
    for exponent in range(10_000):
        sketch.add(int(1.003**exponent) % (30 * 24 * 3_600_000))
    assert len(sketch._buckets) < 1_200


@given(st.lists(st.sampled_from("abcdefghij"), max_size=300), st.integers(2, 12))
def test_talkers_are_exact_with_room_and_never_undercounted_without(
    tenants: list[str], places: int
) -> None:
    talkers = Talkers(places)
    for tenant in tenants:
        talkers.add(TenantId(tenant))
    named = {one.tenant: one for one in talkers.most(places)}
    for tenant, one in named.items():
        assert one.tasks - one.overcount <= tenants.count(tenant) <= one.tasks
    for tenant in set(tenants):
        if tenants.count(tenant) * places > len(tenants):
            assert tenant in named
    if len(set(tenants)) <= places:
        assert {tenant: one.tasks for tenant, one in named.items()} == {
            TenantId(tenant): tenants.count(tenant) for tenant in tenants
        }
