"""The client is as its source, the OpenAPI document, says."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from generate import DOCUMENT, MODELS, models_of
from tandem_client import (
    RedriveRequest,
    StaticToken,
    Submission,
    Tandem,
    TandemError,
    UploadRequest,
)
from tandem_client.operations import Operations
from tandem_client.operator_operations import OperatorOperations
from tests.client.service import Service

CLIENT = MODELS.parents[1]
SUBMISSION = Submission("echo", {"message": 1})
ARGUMENTS: dict[str, Any] = {
    "task_id": "id",
    "upload_id": "id",
    "submission": SUBMISSION,
    "submissions": [SUBMISSION],
    "upload": UploadRequest(filename="a.csv", content_type="text/csv", size=1),
    "request": RedriveRequest(),
}


def document() -> Any:
    return json.loads(DOCUMENT.read_text())


def operations() -> list[tuple[str, str, str, Any]]:
    return [
        (operation["operationId"], method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_models_are_the_documents() -> None:
    assert MODELS.read_text() == models_of(document()), "run: make client"


def test_every_operation_has_its_method() -> None:
    named = {*vars(Operations), *vars(OperatorOperations)}
    methods = {name for name in named if not name.startswith("_")}
    assert methods == {name for name, *_ in operations()}


@pytest.mark.parametrize(
    ("name", "method", "path", "operation"), operations(), ids=[name for name, *_ in operations()]
)
def test_a_method_sends_what_the_document_says(
    service: Service, name: str, method: str, path: str, operation: Any
) -> None:
    service.faults = [(418, {}, "")]
    with Tandem(service.url, StaticToken("token"), attempts=1) as tandem:
        called = getattr(tandem, name)
        wanted = [given for given in called.__annotations__ if given in ARGUMENTS]
        with pytest.raises(TandemError):
            called(*(ARGUMENTS[given] for given in wanted))
    ((sent_method, sent_path, headers),) = service.seen
    assert (sent_method, sent_path) == (method, re.sub(r"{\w+}", "id", path))
    known = {one["name"].lower() for one in operation.get("parameters", [])}
    assert ("idempotency-key" in headers) == ("idempotency-key" in known)


def test_the_source_is_python_of_the_oldest_version_that_it_names() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    version = re.fullmatch(r">=3\.(\d+)", project["requires-python"])
    assert version is not None
    for path in MODELS.parent.rglob("*.py"):
        ast.parse(path.read_text(), path.name, feature_version=(3, int(version[1])))


def test_modules_stay_small() -> None:
    modules = [path for path in MODELS.parent.rglob("*.py") if path != MODELS]
    long = [path.name for path in modules if len(path.read_text().splitlines()) > 220]
    assert modules
    assert long == []


def test_the_client_needs_nothing_of_the_application() -> None:
    ours = {path.name for path in (Path(__file__).parents[2] / "functions").iterdir()}
    for path in MODELS.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in ours, path
