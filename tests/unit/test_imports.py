"""Imports point inwards only, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"

AWS = {"boto3", "botocore", "aws_lambda_powertools", "s3transfer"}
HTTP = {"fastapi", "starlette", "mangum", "api"}
HANDLERS = {"api", "worker", "callback", "report", "canary"}

ALLOWED_TANDEM = {
    "domain": {"domain", "limits"},
    "processing": {"domain", "processing"},
    "services": {"domain", "processing", "services", "ports", "limits", "trace"},
    "adapters": {"domain", "adapters", "ports", "limits"},
    "testing": {"domain", "processing", "ports", "settings", "testing", "wiring"},
}


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules(folder: str) -> list[Path]:
    found = sorted((FUNCTIONS / folder).rglob("*.py"))
    assert found, folder
    return found


@pytest.mark.parametrize("layer", ALLOWED_TANDEM)
def test_a_layer_imports_only_the_layers_inside_it(layer: str) -> None:
    for path in modules(f"tandem/{layer}"):
        inner = {name.split(".")[1] for name in imported(path) if name.startswith("tandem.")}
        assert inner <= ALLOWED_TANDEM[layer], path


@pytest.mark.parametrize("layer", ["domain", "processing", "services", "testing"])
def test_only_adapters_know_aws(layer: str) -> None:
    for path in modules(f"tandem/{layer}"):
        assert not {name.split(".")[0] for name in imported(path)} & AWS, path


def test_the_domain_needs_nothing_but_the_standard_library() -> None:
    for path in modules("tandem/domain"):
        outside = {name.split(".")[0] for name in imported(path)} - {"tandem"}
        assert outside <= sys.stdlib_module_names, path


def test_the_library_knows_no_http_and_no_handler() -> None:
    for folder in ("tandem", "processors"):
        for path in modules(folder):
            assert not {name.split(".")[0] for name in imported(path)} & (HTTP | HANDLERS), path


def test_processors_use_only_what_is_for_them() -> None:
    for path in modules("processors"):
        used = {name for name in imported(path) if name.startswith("tandem.")}
        assert all(name.startswith("tandem.processing") for name in used), path


def test_handlers_do_not_import_each_other() -> None:
    for one in HANDLERS:
        for path in modules(one):
            others = HANDLERS - {one}
            assert not {name.split(".")[0] for name in imported(path)} & others, path


def test_modules_stay_small() -> None:
    # As long as its subject, and no longer than a reader holds in mind: a bound that makes people
    # cut one subject into cupboards is too low.
    long = {
        str(path.relative_to(FUNCTIONS)): lines
        for path in FUNCTIONS.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert long == {}


@pytest.mark.parametrize("handler", [f"{name}.app" for name in sorted(HANDLERS)])
def test_a_cold_start_imports_no_aws_sdk_and_no_duckdb(handler: str) -> None:
    # Powertools itself imports the root of botocore, half a millisecond of it.
    heavy = ["boto3", "botocore.session", "duckdb", "aws_xray_sdk", "cryptography", "jwt"]
    program = f"import sys, {handler}; print(*[m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == ""
