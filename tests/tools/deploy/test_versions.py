"""Which versions of functions a deployment deletes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.deploy import tidy
from tandem_tools.deploy.versions import KEPT, delete_old_versions
from tests.factories.emulated import emulated_account
from tests.factories.published import make_function, versions_of


@pytest.fixture(autouse=True)
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with emulated_account(tmp_path, monkeypatch):
        yield Account()


def test_the_newest_versions_stay(account: Account) -> None:
    make_function("api", 6, live="6")
    make_function("worker", KEPT, live="3")
    assert delete_old_versions(account, ["api", "worker"]) == 3
    assert versions_of("api") == ["$LATEST", "4", "5", "6"]
    assert versions_of("worker") == ["$LATEST", "1", "2", "3"]
    assert delete_old_versions(account, ["api", "worker"]) == 0


def test_what_an_alias_names_stays_however_old(account: Account) -> None:
    make_function("api", 7, live="2", weights={"1": 0.1})
    assert delete_old_versions(account, ["api"]) == 2
    assert versions_of("api") == ["$LATEST", "1", "2", "5", "6", "7"]


def test_the_newest_is_the_one_with_the_highest_number(account: Account) -> None:
    make_function("api", 11, live="11")
    delete_old_versions(account, ["api"])
    assert versions_of("api") == ["$LATEST", "9", "10", "11"]


def test_a_release_stands_when_its_old_versions_cannot_be_deleted(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    tidy(account, {"ApiFunctionName": "nobody", "TableName": "table"})
    assert "Old versions of functions were left" in capsys.readouterr().out
