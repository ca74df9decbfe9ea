"""The OpenAPI document as a file, for readers, clients and the tests of the contract."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tandem_tools.paths import PROJECT, TOOLS

DOCUMENT = PROJECT / "docs" / "openapi.json"

_PROGRAM = """
import json
from tandem.aws.wiring import Wiring
from tandem.http.app import create_app
from tandem.http.openapi import openapi_document
from tandem.settings import Settings

print(json.dumps(openapi_document(create_app(Wiring(Settings())), Settings())))
"""


def main(_arguments: Sequence[str] = ()) -> int:
    """Write the document where it is kept, and return the exit code."""
    DOCUMENT.write_text(json.dumps(current_document(), indent=2, ensure_ascii=False) + "\n")
    print(f"{DOCUMENT}: written")
    return 0


def current_document() -> dict[str, Any]:
    """Return the library's document: the one of an application with the contract's processors.

    It is made in a process of its own, because a process has the processors of its start.
    """
    path = os.pathsep.join([str(TOOLS), str(PROJECT / "functions")])
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        check=True,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": path, "PROCESSORS": "tandem_tools.contract.processors"},
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document
