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
