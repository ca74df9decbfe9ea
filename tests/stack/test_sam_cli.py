"""The SAM CLI's commands for a deployed stack, as docs/how-to/invoke-one-function.md shows them."""

import json
import subprocess
from uuid import uuid4

from tandem_tools.environment import for_sam
from tandem_tools.harness.stack import DeployedApp
from tandem_tools.paths import PROJECT, SAM_BIN, program
from tandem_tools.run.deployment import STACK_NAME


def sam(app: DeployedApp, *arguments: str) -> str:
    """Run a command of the SAM CLI against the stack, and return what it printed."""
    done = subprocess.run(  # noqa: S603 - our own program
        [program(SAM_BIN / "sam"), *arguments, "--stack-name", STACK_NAME],
        cwd=PROJECT,
        env=for_sam(str(SAM_BIN), app.description.endpoint_url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_sam_logs_shows_a_functions_lines(app: DeployedApp) -> None:
    request_id = app.machine.get("/processors").headers["x-request-id"]
    assert request_id in sam(app, "logs", "--name", "ApiFunction")


def test_sam_remote_invoke_shows_a_functions_answer(app: DeployedApp) -> None:
    event = "--event-file=events/api-health.json"
    answer = json.loads(sam(app, "remote", "invoke", "ApiFunction", event))
    assert (answer["statusCode"], answer["body"]) == (200, '{"status":"ok"}')


def test_sam_remote_invoke_sends_a_message(app: DeployedApp) -> None:
    text = f"no-task-{uuid4()}"
    sent = json.loads(sam(app, "remote", "invoke", "TaskQueue", f"--event={text}"))
    assert sent["MessageId"]
    assert app.dead_letter(text)["MessageAttributes"]["reason"]["StringValue"] == "unparsable"
