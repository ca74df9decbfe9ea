from ipaddress import ip_network

import pytest

from tandem.settings import Settings, SettingsError, read_settings


def test_settings_come_from_variables_of_their_names() -> None:
    found = read_settings({"TABLE_NAME": "tasks", "THREAD_POOL_SIZE": "16", "HOME": "/root"})
    assert (found.table_name, found.thread_pool_size) == ("tasks", 16)


def test_an_empty_variable_is_as_one_that_is_not_set() -> None:
    assert read_settings({"THREAD_POOL_SIZE": ""}) == Settings()


def test_a_value_that_cannot_be_names_its_variable() -> None:
    with pytest.raises(SettingsError, match=r"THREAD_POOL_SIZE: .*; INDEX_SHARDS: "):
        read_settings({"THREAD_POOL_SIZE": "many", "INDEX_SHARDS": "0"})


def test_a_setting_that_is_needed_and_not_set_is_named() -> None:
    with pytest.raises(SettingsError, match="TABLE_NAME is not set"):
        Settings().need("table_name")


def test_lists_are_separated_by_commas() -> None:
    found = read_settings(
        {
            "CALLBACK_RETRY_SECONDS": "1,60",
            "CALLBACK_ALLOWED_NETWORKS": "10.0.0.0/8,fd12::/16",
        }
    )
    assert found.callback_retry_seconds == (1, 60)
    assert found.callback_allowed_networks == (ip_network("10.0.0.0/8"), ip_network("fd12::/16"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLBACK_RETRY_SECONDS", "0"),
        ("CALLBACK_RETRY_SECONDS", "39601"),
        ("CALLBACK_RETRY_SECONDS", "5,"),
        ("CALLBACK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("CALLBACK_ALLOWED_NETWORKS", "everything"),
    ],
)
def test_a_list_with_a_wrong_part_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value})
