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
    "AlarmEmail='a\nb' TenantClaim=\u00e9\\=,",
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


def test_a_dollar_of_the_environment_stays_one(tmp_path: Path) -> None:
    test_parameters_come_as_they_were_given(tmp_path, "TenantClaim='$HOME $x'", "environment")


@pytest.mark.parametrize("command", ["deploy", "destroy", "restore", "prove-on-aws"])
@pytest.mark.parametrize(
    ("more", "said"), [("prod", "ENV=staging"), ("env=prod", "ENV=prod"), ("test", "stands alone")]
)
def test_an_environment_that_is_named_otherwise_stops_everything(
    tmp_path: Path, command: str, more: str, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ntouch "$SEEN"\n')
    python.chmod(0o700)
    done = subprocess.run(  # noqa: S603 - our own makefile
        ["make", command, more, "--old-file=setup", f"BIN={tmp_path}"],  # noqa: S607
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "SEEN": str(tmp_path / "seen")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize("given", ["", "eu-south-1"])
def test_a_deployment_goes_to_no_region_that_nobody_chose(tmp_path: Path, given: str) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s" "$AWS_DEFAULT_REGION" >"$SEEN"\n')
    python.chmod(0o700)
    environment = {"AWS_DEFAULT_REGION": given} if given else {}
    subprocess.run(  # noqa: S603 - our own makefile
        ["make", "deploy", "--old-file=setup", f"BIN={tmp_path}"],  # noqa: S607
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "SEEN": str(tmp_path / "seen")} | environment,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "seen").read_text() == given
