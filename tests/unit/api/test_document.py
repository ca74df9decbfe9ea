"""The OpenAPI document is complete, and kept in the tree as it is served."""

import json

from local.openapi import DOCUMENT, current_document


def test_the_kept_document_is_the_applications() -> None:
    assert json.loads(DOCUMENT.read_text()) == current_document(), "run: make openapi"
