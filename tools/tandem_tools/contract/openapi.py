"""The OpenAPI document as a file, for readers, clients and the tests of the contract."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from tandem_tools.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "openapi.json"


def main(_arguments: Sequence[str] = ()) -> int:
    """Write the document where it is kept, and return the exit code."""
    sys.path.insert(0, str(PROJECT / "functions"))
    DOCUMENT.write_text(json.dumps(current_document(), indent=2, ensure_ascii=False) + "\n")
    print(f"{DOCUMENT}: written")
    return 0


def current_document() -> dict[str, Any]:
    """Return the document of the application as it is in this tree."""
    # Imported here: the command puts the application on Python's path first.
    from tandem.aws.wiring import Wiring
    from tandem.http.app import create_app
    from tandem.http.openapi import openapi_document
    from tandem.settings import Settings

    return openapi_document(create_app(Wiring(Settings())), Settings())
