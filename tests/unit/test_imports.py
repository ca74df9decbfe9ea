"""Imports point inwards only, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FUNCTIONS = PROJECT / "functions"
TANDEM = FUNCTIONS / "tandem"
TOOLS = PROJECT / "tools" / "tandem_tools"

FUNCTION_NAMES = ("api", "worker", "callback", "report", "canary")
FEATURES = ("tasks", "worker", "reports", "callbacks", "dead_letters", "tenants", "files")
SHARED = ("clock", "contended", "cursor", "health", "ids", "limits", "messages", "secrets", "text")

AWS = {"boto3", "botocore", "aws_lambda_powertools", "s3transfer"}
HTTP = {"fastapi", "starlette", "mangum"}

ENTRANCES = {"worker/batch.py", "callbacks/batch.py", "reports/run.py"}
"""What a handler calls with its event and the wiring."""

POWERTOOLS = {"reports/cloudwatch.py", *ENTRANCES}
"""What writes log lines or metrics by Powertools itself."""

RULES = (
    *(f"tasks/{name}.py" for name in ("recovery", "retry", "task", "transitions")),
    *(
        f"reports/{name}.py"
        for name in (
            *("counts", "histogram", "instruments", "report", "sink", "talkers", "tally"),
            *("text", "window"),
        )
    ),
    "callbacks/callback.py",
    "callbacks/url.py",
    "files/filename.py",
    *(f"{name}.py" for name in ("clock", "contended", "cursor", "ids", "text")),
)
"""The rules of a task's life, of its callback and of reports."""


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def tops(path: Path) -> set[str]:
    """Return the packages that a module imports from."""
    return {name.split(".")[0] for name in imported(path)}


def parts_of_tandem(path: Path) -> set[str]:
    """Return the features and modules of the library that a module imports from."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("tandem.")}


def modules(folder: str) -> list[Path]:
    found = sorted((FUNCTIONS / folder).rglob("*.py"))
    assert found, folder
    return found


def core() -> list[Path]:
    """Return the modules of the features, and those that they share."""
    features = [path for name in FEATURES for path in modules(f"tandem/{name}")]
    return [*features, *(TANDEM / f"{name}.py" for name in SHARED)]


@pytest.mark.parametrize("path", core(), ids=lambda path: str(path.relative_to(TANDEM)))
def test_a_feature_knows_no_aws_no_http_and_no_handler(path: Path) -> None:
    name = str(path.relative_to(TANDEM))
    assert not tops(path) & ((AWS | HTTP) if name not in POWERTOOLS else HTTP)
    outer = parts_of_tandem(path) & {"aws", "http", "handlers", "canary", "testing"}
    assert outer <= ({"aws"} if name in ENTRANCES else set())


@pytest.mark.parametrize("name", RULES)
def test_rules_need_nothing_but_the_standard_library(name: str) -> None:
    assert tops(TANDEM / name) - {"tandem"} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", modules("tandem/processing"), ids=lambda path: path.name)
def test_what_processors_are_written_with_knows_neither_features_services_nor_aws(
    path: Path,
) -> None:
    assert not tops(path) & (AWS | HTTP)
    allowed = {"processing", "tasks", "text", "limits", "clock", "ids"}
    # Which packages have processors is a setting.
    allowed |= {"settings"} if path.name == "catalogue.py" else set()
    assert parts_of_tandem(path) <= allowed


def test_adapters_do_not_know_http() -> None:
    for path in modules("tandem/aws"):
        assert not tops(path) & HTTP, path
        assert not parts_of_tandem(path) & {"http", "handlers", "canary", "testing"}, path


def test_only_its_own_handler_knows_the_http_api() -> None:
    for path in modules("tandem"):
        inner = path.relative_to(TANDEM).parts[0]
        if inner != "http" and path not in {TANDEM / "handlers/api.py", TANDEM / "testing/app.py"}:
            assert "http" not in parts_of_tandem(path), path


def test_handlers_do_not_import_each_other() -> None:
    for path in modules("tandem"):
        assert not any(name.startswith("tandem.handlers") for name in imported(path)), path


def test_the_library_imports_no_processor() -> None:
    for path in modules("tandem"):
        assert "processors" not in tops(path), path


def test_processors_use_only_what_is_for_them() -> None:
    for path in modules("processors"):
        used = {name for name in imported(path) if name.startswith("tandem.")}
        assert all(name.startswith("tandem.processing") for name in used), path


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_cold_start_imports_no_aws_sdk_and_no_duckdb(function: str) -> None:
    # Powertools itself imports the root of botocore, half a millisecond of it.
    heavy = ["boto3", "botocore.session", "duckdb", "aws_xray_sdk", "cryptography", "jwt"]
    program = (
        f"import sys, tandem.handlers.{function}; print(*[m for m in {heavy} if m in sys.modules])"
    )
    answer = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == ""


def test_neither_the_library_nor_what_runs_it_names_a_sample() -> None:
    samples = ("checksum-files", "checksum_files", "summarize-table", "query-table")
    samples += ("convert-table", "processors.tables", "processors.checksum")
    folders = [TANDEM, *(TOOLS / name for name in ("build", "contract", "harness", "run"))]
    named = [
        (str(path.relative_to(PROJECT)), sample)
        for folder in folders
        for path in folder.rglob("*.py")
        for sample in samples
        if sample in path.read_text()
    ]
    assert named == []
