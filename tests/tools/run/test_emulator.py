"""Functions call the emulator itself, unless they are given another address."""

from pathlib import Path

import pytest

from tandem_tools.run.emulator import Emulator


def test_functions_find_aws_at_the_emulator_unless_another_address_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    usual = Emulator(tmp_path, 4566)._environment(tmp_path)
    assert "AWS_ENDPOINT_URL" not in usual

    given = Emulator(tmp_path, 4566, functions_endpoint_url="http://127.0.0.1:2")
    assert given._environment(tmp_path) == usual | {"AWS_ENDPOINT_URL": "http://127.0.0.1:2"}
