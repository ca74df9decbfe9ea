"""The `tandem` command, as a program of its own, on the deployed stack."""

import json
import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tandem_tools.harness.stack import DeployedApp
from tandem_tools.paths import PROJECT, SAMPLE

# What pip makes of this line is the program `tandem`.
_SCRIPTS = tomllib.loads((PROJECT / "client" / "pyproject.toml").read_text())["project"]["scripts"]
MODULE, NAME = _SCRIPTS["tandem"].split(":")

type Done = subprocess.CompletedProcess[str]


class Terminal:
    """Runs the command in a home of its own."""

    def __init__(self, home: Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT / "client"),
            "TANDEM_CONFIG_DIR": str(home),
            "NO_COLOR": "1",
        }

    def __call__(self, *arguments: str, exits: int = 0, **environment: str) -> Done:
        """Run the command; fail when it ends otherwise than expected."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", f"from {MODULE} import {NAME}; {NAME}()", *arguments],
            env=self._environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == exits, done.stdout + done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """Return the one JSON value that the command prints."""
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def tandem(app: DeployedApp, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The command, logged in as the machine and, by the profile `ops`, as the operator."""
    terminal = Terminal(tmp_path_factory.mktemp("home"))
    about = app.description
    for profile, client, secret in (
        ("default", about.client_id, about.client_secret),
        ("ops", about.operator_client_id, about.operator_client_secret),
    ):
        terminal(
            *("login", "--profile", profile, "--url", about.url, "--token-url", about.token_url),
            TANDEM_CLIENT_ID=client,
            TANDEM_CLIENT_SECRET=secret,
        )
    return terminal


def test_a_file_is_uploaded_watched_and_its_result_read(tandem: Terminal, tmp_path: Path) -> None:
    accepted = tandem.json("submit", "copy-file", "--upload", str(SAMPLE), "--fresh")
    watched = tandem("status", accepted["task_id"], "--watch", "--timeout", "60")
    assert "succeeded" in watched.stderr
    tandem("result", accepted["task_id"], "-o", str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == SAMPLE.read_bytes()


def test_a_delayed_task_is_cancelled_and_stays_so(tandem: Terminal) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    delayed = ("submit", "echo", "-i", '{"message": 1}', "--run-after", later)
    task_id = tandem(*delayed).stdout.strip()
    assert "is cancelled" in tandem("cancel", task_id).stderr
    assert tandem.json("status", task_id)["state"] == "cancelled"
    assert "was cancelled" in tandem("status", task_id, "--watch", exits=3).stderr
    assert tandem("result", task_id, exits=3).stdout == ""


def test_a_refusal_says_why(tandem: Terminal) -> None:
    echo = ("submit", "echo", "-i", '{"message": 1}')
    far = "2099-01-01T00:00:00+00:00"
    assert "5 days" in tandem(*echo, "--run-after", far, exits=1).stderr
    task_id = tandem(*echo).stdout.strip()
    tandem("status", task_id, "--watch", "--timeout", "60")
    assert "has succeeded already" in tandem("cancel", task_id, exits=1).stderr


def test_operators_see_what_was_given_up_and_what_was_done(tandem: Terminal) -> None:
    failed = tandem("submit", "copy-file", "-i", "{}", "--wait", "--timeout", "60", exits=3)
    assert "failed" in failed.stderr
    letters = tandem.json("dead-letters", "-p", "ops", "--limit", "100")["letters"]
    assert any("nothing to write" in letter["error"] for letter in letters)
    would = tandem.json("dead-letters", "redrive", "-p", "ops", "--reason", "permanent")
    assert would["dry_run"]
    assert "reports" in tandem.json("reports", "-p", "ops")
    assert "admin" in tandem("dead-letters", exits=1).stderr
