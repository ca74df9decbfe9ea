from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.ids import InvalidTenant, new_task_id, parse_tenant, parse_uuid
from tandem_tools.harness.tasks import NOON


def test_a_task_id_is_a_version_7_uuid_that_holds_its_time() -> None:
    made = UUID(new_task_id(NOON + timedelta(milliseconds=7)))
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(NOON.timestamp() * 1000) + 7


def test_task_ids_sort_by_time() -> None:
    ids = [new_task_id(NOON + timedelta(milliseconds=n)) for n in range(50)]
    assert ids == sorted(ids)


def test_task_ids_of_one_moment_differ() -> None:
    assert len({new_task_id(NOON) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a/b", "a#1", "a\nb", "ü", "..\\", "a\x00"])
def test_a_tenant_that_could_mislead_a_key_or_a_log_is_refused(text: str) -> None:
    with pytest.raises(InvalidTenant):
        parse_tenant(text)


@pytest.mark.parametrize("text", ["acme", "auth0|64f", "user@example.com", "1h57kf5cpq17m0eml"])
def test_tenants_as_issuers_write_them_are_taken(text: str) -> None:
    assert parse_tenant(text) == text


@given(st.text())
def test_any_text_is_a_uuid_or_none(text: str) -> None:
    parsed = parse_uuid(text)
    assert parsed is None or str(UUID(parsed)) == parsed


def test_a_uuid_is_read_in_any_case_and_written_in_one() -> None:
    text = new_task_id(NOON)
    assert parse_uuid(text.upper()) == text
