"""`python -m contract.reference`: play the scenario on a stack of its own, and write the page."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contract.reference.page import page
from contract.reference.playing import play
from contract.reference.scenario import SCENARIO
from contract.reference.stable import BUCKET_URL, Stable
from local.errors import StackError
from local.paths import PROJECT
from tests.stack.stack import DeployedApp, deployed_app

DOCUMENT = PROJECT / "docs" / "openapi.json"
PAGE = PROJECT / "docs" / "reference" / "api.md"


def main() -> int:
    """Write the page and return the exit code."""
    try:
        with (
            TemporaryDirectory(prefix="reference-") as folder,
            deployed_app(Path(folder)) as app,
        ):
            text = played(app)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    return 0


def played(app: DeployedApp) -> str:
    """Play the scenario on a stack and return the page."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    stable = Stable(names(app))
    return page(document, [stable.exchange(one) for one in play(app, SCENARIO, document)])


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


if __name__ == "__main__":
    sys.exit(main())
