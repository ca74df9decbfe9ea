"""`python -m tandem_tools reference`: play the scenario on a new stack, and write the page."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem_tools.contract.reference.page import page
from tandem_tools.contract.reference.playing import play
from tandem_tools.contract.reference.scenario import SCENARIO
from tandem_tools.contract.reference.stable import BUCKET_URL, Stable
from tandem_tools.errors import ToolError
from tandem_tools.harness.stack import DeployedApp, deployed_app
from tandem_tools.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "openapi.json"
PAGE = PROJECT / "docs" / "reference" / "api.md"


def main(_arguments: Sequence[str] = ()) -> int:
    """Write the page and return the exit code."""
    try:
        with (
            TemporaryDirectory(prefix="reference-") as folder,
            deployed_app(Path(folder)) as app,
        ):
            text = played(app)
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    return 0


def played(app: DeployedApp) -> str:
    """Play the scenario on a stack and return the page."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    stable = Stable(names(app))
    return page(document, [stable.exchange(exchange) for exchange in play(app, SCENARIO, document)])


def names(app: DeployedApp) -> dict[str, str]:
    """Return what the stack calls its own, and what the page calls it."""
    about = app.description
    return {
        f"{about.endpoint_url}/{about.bucket}": BUCKET_URL,
        about.url: "http://127.0.0.1:8000",
        about.bucket: "tandem-tasks",
        about.client_id: "1example23456789machine",
        about.operator_client_id: "1example2345678operator",
    }
