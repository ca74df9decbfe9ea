"""What processors declare of settings, and what `make run` says of it."""

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ReadTimeoutError

from tandem_tools import catalogue
from tandem_tools.run.aws import Aws
from tandem_tools.settings.declared import CannotImport, declared
from tandem_tools.settings.local import EnvFile, missing
from tests.tools.settings.conftest import SECRET


@pytest.mark.usefixtures("bank")
def test_the_catalogues_settings_are_found_with_what_is_missing() -> None:
    found = declared({})
    assert found.names == {"charge": {"BANK_KEY": True, "BANK_SECONDS": False}}
    assert found.lines() == ["  charge: BANK_KEY is missing"]
    assert found.users("BANK_SECONDS") == ["charge"]
    assert declared({"BANK_KEY": SECRET, "BANK_SECONDS": 5}).lines() == []


@pytest.mark.usefixtures("bank")
def test_what_is_wrong_is_told_without_its_value() -> None:
    found = declared({"BANK_KEY": f"wrong {SECRET}", "BANK_SECONDS": SECRET})
    assert found.lines() == [
        "  charge: BANK_KEY is wrong (value_error); BANK_SECONDS is wrong (int_parsing)"
    ]
    assert SECRET not in repr(found)


@pytest.mark.usefixtures("bank")
def test_a_projects_processors_are_imported_by_the_projects_own_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tools may be in another environment, without the packages that processors import."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\ntouch {tmp_path}/asked\nexec "{sys.executable}" "$@"\n')
    monkeypatch.setattr(catalogue, "APP_BIN", python.parent)
    declared({})
    assert not (tmp_path / "asked").exists()  # a checkout's tools are in its own environment
    monkeypatch.setattr(catalogue, "CHECKOUT", None)
    python.chmod(0o755)
    assert declared({}).users("BANK_KEY") == ["charge"]
    assert (tmp_path / "asked").exists()
    python.unlink()  # before make setup
    assert declared({}).users("BANK_KEY") == ["charge"]


def test_an_application_without_settings_declares_none() -> None:
    assert declared({}).names == {}


def test_processors_that_cannot_be_imported_are_told_of(bank: Path) -> None:
    bank.write_text("import nothing_of_that_name")
    with pytest.raises(CannotImport, match="No module named 'nothing_of_that_name'"):
        declared({"BANK_KEY": SECRET})
    [line] = missing({})
    assert line.endswith("ModuleNotFoundError: No module named 'nothing_of_that_name'")


@pytest.mark.usefixtures("bank")
def test_a_start_says_what_is_missing_by_its_name() -> None:
    heading, *lines = missing({"BANK_SECONDS": SECRET})
    assert heading.startswith("Settings are missing or wrong in")
    assert lines == ["  charge: BANK_KEY is missing; BANK_SECONDS is wrong (int_parsing)"]
    assert missing({"BANK_KEY": SECRET}) == []


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("BANK_SECOND", "BANK_SECOND (is it BANK_SECONDS?)"),  # has a default: nothing is missing
        ("bank_seconds", "bank_seconds (is it BANK_SECONDS?)"),
        ("OTHER", "OTHER"),
    ],
)
def test_a_start_says_what_no_processor_names(name: str, told: str) -> None:
    given = {"BANK_KEY": SECRET, name: SECRET}
    assert missing(given) == [f"No processor names these settings of .env: {told}"]


@pytest.mark.usefixtures("bank")
def test_what_may_be_a_line_of_a_key_is_not_shown() -> None:
    assert missing({"BANK_KEY": SECRET, "MIIEvQIBADANBgkqhkiG9w0": ""}) == []


class FakeAws:
    """Keeps what is put into secrets."""

    def __init__(self) -> None:
        self.put: list[Any] = []
        self.secrets_manager = self

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        assert SecretId == "secret"
        self.put.append(json.loads(SecretString))


@pytest.mark.usefixtures("bank")
def test_what_is_saved_in_the_file_reaches_the_stack(tmp_path: Path) -> None:
    path, aws = tmp_path / ".env", FakeAws()
    following = EnvFile(cast("Aws", aws), "secret", {}, path)
    assert following.follow() == []
    path.write_text(f"BANK_KEY={SECRET}\n")
    assert following.follow() == [".env: updated"]
    assert following.follow() == []
    path.write_text(f'BANK_KEY="{SECRET}\n')
    [said] = following.follow()
    assert "line 1: this is no setting" in said
    assert "close each quote" in said
    assert "Until then the stack has what it had." in said
    assert following.follow() == []
    path.write_text("BANK_SECONDS=5\n")
    said, _, line = following.follow()
    assert (said, line) == (".env: updated", "  charge: BANK_KEY is missing")
    assert aws.put == [{"BANK_KEY": SECRET}, {"BANK_SECONDS": "5"}]


@pytest.mark.usefixtures("bank")
def test_a_stack_that_does_not_answer_gets_what_was_saved_when_it_does(tmp_path: Path) -> None:
    class Busy(FakeAws):
        busy = True

        def put_secret_value(self, **given: str) -> None:
            if self.busy:
                raise ReadTimeoutError(endpoint_url="http://127.0.0.1")
            super().put_secret_value(**given)

    path, aws = tmp_path / ".env", Busy()
    following = EnvFile(cast("Aws", aws), "secret", {}, path)
    path.write_text(f"BANK_KEY={SECRET}\n")
    assert following.follow() == [".env: not updated yet (ReadTimeoutError)"]
    assert following.follow() == []
    aws.busy = False
    assert following.follow() == [".env: updated"]
    assert aws.put == [{"BANK_KEY": SECRET}]


def test_what_a_module_leaves_on_a_line_of_the_output_is_no_error(bank: Path) -> None:
    bank.write_text(bank.read_text().replace('print("imported")', 'print("loading", end="")'))
    assert declared({}).lines() == ["  charge: BANK_KEY is missing"]
