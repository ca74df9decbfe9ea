"""What `make deploy` makes of its variables."""

import os
import subprocess
from pathlib import Path

import pytest

from tandem_tools.paths import PROJECT

VALUES = (
    "AlarmEmail='a b' LogLevel=DEBUG",
    """TenantClaim="it's \\"quoted\\"" """,
    "TenantClaim=`id`;id",
    "AlarmEmail=",
    "",
)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", ["command line", "environment"])
def test_parameters_come_as_they_were_given(tmp_path: Path, value: str, place: str) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s" "$PARAMETERS" >"$SEEN"\n')
    python.chmod(0o700)
    given = [f"PARAMETERS={value}"] if place == "command line" else []
    environment = {"PARAMETERS": value} if place == "environment" else {}
    command = ["make", "deploy", "--old-file=setup", f"BIN={tmp_path}", *given]
    subprocess.run(  # noqa: S603 - our own makefile
        command,
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "SEEN": str(tmp_path / "seen")} | environment,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "seen").read_text() == value
