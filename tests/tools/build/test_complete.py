"""An artifact that lacks something is refused, and says what."""

from pathlib import Path

import pytest

from tandem_tools.build import cli as program
from tandem_tools.build.compiled import compile_ahead
from tandem_tools.build.complete import MUST_HOLD, require_complete, require_services
from tandem_tools.build.settings import PYTHON, Settings
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT
from tandem_tools.template import load_template

REQUIREMENTS = "fastapi==1.2.3 \\\n    --hash=sha256:00\nTyping_Extensions==4.5 ; python_version\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A built function in small."""
    built = tmp_path / "ApiFunction"
    for name in MUST_HOLD:
        (built / name).mkdir(parents=True)
        (built / name / "__init__.py").write_text("answer = 42\n")
    for name, version in (("fastapi", "1.2.3"), ("typing-extensions", "4.5")):
        folder = built / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
        )
    compile_ahead(built)
    return built


def test_a_whole_artifact_is_taken(tree: Path) -> None:
    require_complete(tree, REQUIREMENTS)


def test_an_artifact_without_its_dependencies_is_refused(tree: Path) -> None:
    (tree / "fastapi").rename(tree.parent / "fastapi")
    with pytest.raises(ToolError, match="without fastapi"):
        require_complete(tree, REQUIREMENTS)


def test_an_artifact_that_is_not_compiled_is_refused(tree: Path) -> None:
    (tree / "tandem" / "late.py").write_text("")
    with pytest.raises(ToolError, match=r"late\.py"):
        require_complete(tree, REQUIREMENTS)


@pytest.mark.parametrize("pins", ["fastapi==1.2.4\ntyping-extensions==4.5\n", "fastapi==1.2.3\n"])
def test_an_artifact_with_other_versions_than_pinned_is_refused(tree: Path, pins: str) -> None:
    with pytest.raises(ToolError, match="other versions than requirements"):
        require_complete(tree, pins)


@pytest.mark.parametrize(
    "code",
    [
        'boto3.client("kinesis")',
        'boto3.Session().client("kinesis", region_name="eu-west-1")',
        'from boto3 import resource\nresource("kinesis")',
    ],
)
def test_a_client_of_a_service_that_is_left_out_is_refused_with_what_to_add(
    tmp_path: Path, code: str
) -> None:
    (tmp_path / "stream.py").write_text(f"import boto3\n\n{code}\n")
    with pytest.raises(
        ToolError, match=r'(?s)stream\.py, line \d.*Add "kinesis" to aws-services'
    ) as e:
        require_services(tmp_path, {"kinesis"})
    assert "pyproject.toml" in e.value.advice


def test_clients_of_services_that_ship_and_other_calls_are_taken(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text('boto3.client("sqs")\nuser.client("me")\nopen("kinesis")\n')
    require_services(tmp_path, {"kinesis"})


def test_another_python_than_the_runtimes_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program.sys, "version_info", (3, 12, 4, "final", 0))
    assert program.main([]) == 1
    assert "python3.13" in capsys.readouterr().err


def test_the_python_that_compiles_is_that_of_the_template() -> None:
    runtime = load_template()["Globals"]["Function"]["Runtime"]
    assert runtime == f"python{PYTHON[0]}.{PYTHON[1]}"


def test_the_projects_settings_can_be_read() -> None:
    settings = Settings.read(PROJECT)
    assert {"dynamodb", "s3", "secretsmanager", "sqs"} <= settings.aws_services
