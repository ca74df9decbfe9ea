"""Schemathesis as a program of its own, on a running stack."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tandem_tools.environment import scrubbed
from tandem_tools.harness.stack import DeployedApp, Json
from tandem_tools.paths import APP_BIN, PROJECT, TOOLS, program
from tandem_tools.run.tokens import request_token

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
RAN_WITHIN_SECONDS = 3600


def conforms(
    app: DeployedApp, folder: Path, *, seed: int, examples: int, aloud: bool = False
) -> subprocess.CompletedProcess[str]:
    """Test a stack against the document that it serves, and return how that ended and what it said.

    Args:
        app: the stack. It is left with what was made in it.
        folder: where the tokens are kept for as long as it runs, for this user alone to read.
        seed: the same one makes the same requests, as far as the answers are the same.
        examples: how many requests are made up for an operation in each phase.
        aloud: whether it speaks for itself, as it goes, instead of returning what it said.
    """
    url = app.description.url
    users = folder / "users.json"
    command = [
        program(APP_BIN / "schemathesis"),
        f"--config-file={CONFIGURATION}",
        "run",
        f"{url}/openapi.json",
        f"--url={url}",
        "--checks=all",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--seed={seed}",
        f"--max-examples={examples}",
        f"--auth-wfc={users}",
        "--no-color",
    ]
    users.touch(mode=0o600)
    users.write_text(json.dumps({"auth": [*_users(app)]}))
    path = os.pathsep.join([str(TOOLS), str(PROJECT / "functions")])
    try:
        return subprocess.run(
            command,
            cwd=PROJECT,
            env=scrubbed({}) | {"PYTHONPATH": path},
            capture_output=not aloud,
            text=True,
            check=False,
            timeout=RAN_WITHIN_SECONDS,
        )
    finally:
        users.unlink()


def _users(app: DeployedApp) -> Iterator[Json]:
    """Yield the two tenants with their tokens: the operator, who may call everything, first.

    They are written as Web Fuzzing Commons has them.
    """
    about = app.description
    for name, client, secret in (
        ("operator", about.operator_client_id, about.operator_client_secret),
        ("machine", about.client_id, about.client_secret),
    ):
        token = request_token(about.token_url, client, secret).value
        header = {"name": "Authorization", "value": f"Bearer {token}"}
        yield {"name": name, "fixedHeaders": [header]}
