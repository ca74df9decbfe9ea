"""What the pages show of calls of the API is what a stack answers."""

import re
import subprocess
import time

import pytest

from tandem_tools.harness.stack import DeployedApp
from tests.factories.pages import BLOCKS, Block, commands

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
KEYS = re.compile(r'"(\w+)":')
WITHIN_SECONDS = 20


def run(command: str) -> str:
    done = subprocess.run(  # noqa: S603 - a command of our own pages
        ["/bin/bash", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_shown(shown: str, output: str) -> bool:
    """Return whether an answer has every field that the page shows of it."""
    return set(KEYS.findall(shown)) <= set(KEYS.findall(output))


@pytest.fixture(scope="module")
def failed(app: DeployedApp) -> str:
    """A task that failed by its processor's own fault, for the list of dead letters."""
    task = app.finished(app.submit("unreliable", {"ending": "error", "bad_attempts": 9}))
    assert task["state"] == "failed"
    return str(task["task_id"])


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.calls_the_stack and not one.untested], ids=str
)
def test_a_block_answers_as_the_page_shows(block: Block, app: DeployedApp) -> None:
    tokens = {
        "TOKEN": app.description.token,
        "OPERATOR": app.operator.headers["authorization"].removeprefix("Bearer "),
    }
    setting = "".join(f"export {name}={value}\n" for name, value in tokens.items())
    real: dict[str, str] = {}
    for command in commands(block):
        if command.text.startswith("export "):
            continue
        text = command.text.replace("http://127.0.0.1:8000", app.description.url)
        for shown, own in real.items():
            text = text.replace(shown, own)
        until = time.monotonic() + WITHIN_SECONDS
        output = run(setting + text.replace("curl ", "curl -s ", 1))
        while not as_shown(command.shown, output) and time.monotonic() < until:
            time.sleep(0.5)
            output = run(setting + text.replace("curl ", "curl -s ", 1))
        assert as_shown(command.shown, output), f"{text}\n{output}"
        ids = dict.fromkeys(UUID.findall(command.shown))
        real |= dict(zip(ids, dict.fromkeys(UUID.findall(output)), strict=False))
