"""The OpenAPI document as a file, for readers, clients and the tests of the contract."""

import json
from typing import Any

from local.paths import PROJECT
from tandem.aws.wiring import Wiring
from tandem.http.app import create_app
from tandem.http.openapi import openapi_document
from tandem.settings import Settings

DOCUMENT = PROJECT / "docs" / "openapi.json"


def current_document() -> dict[str, Any]:
    """Return the document of the application as it is in this tree."""
    return openapi_document(create_app(Wiring(Settings())), Settings())


def write_document() -> None:
    """Write the document where it is kept."""
    DOCUMENT.write_text(json.dumps(current_document(), indent=2, ensure_ascii=False) + "\n")
