"""What a new project is made of."""

import hashlib
import re
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from tandem_tools.build.dependencies import pins
from tandem_tools.errors import ToolError
from tandem_tools.paths import APP_BIN, PROJECT
from tandem_tools.project import commands, skeleton
from tandem_tools.project.new import make_project
from tandem_tools.project.skeleton import DISTRIBUTIONS, OF_TABLES, pack, read_wheels
from tests.tools.project.conftest import put_wheels


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Path:
    folder = tmp_path / "orders"
    assert make_project(folder, wheels) == "1.0.0"
    return folder


def own_files(project: Path) -> set[str]:
    files = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith(".tandem/")}


def declared(path: str) -> dict[str, Any]:
    return tomllib.loads((PROJECT / path).read_text())


def test_a_team_owns_sixteen_files_and_has_a_pristine_copy_of_each(project: Path) -> None:
    files = own_files(project)
    assert len(files) == 16
    for name in files:
        assert (project / ".tandem/pristine" / name).read_bytes() == (project / name).read_bytes()


def test_nothing_of_tandems_samples_or_tests_is_in_it(project: Path) -> None:
    for name in own_files(project):
        text = (project / name).read_text()
        assert not re.search(r"duckdb|(query|convert|summarize)-table|checksum-files", text), name


def test_the_project_and_its_stacks_have_the_folders_name(project: Path) -> None:
    assert declared_in(project)["project"]["name"] == "orders"
    stacks = re.findall(r'stack_name = "(.*)"', (project / "samconfig.toml").read_text())
    assert stacks == ["orders-dev", "orders-prove", "orders-staging", "orders-prod"]


def declared_in(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text())


def test_every_link_of_its_readme_leads_to_a_file(project: Path) -> None:
    text = (project / "README.md").read_text()
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)
    assert "functions/processors/hello.py" in named
    assert [name for name in named if not list(project.glob(name))] == []


def test_the_projects_lint_is_of_its_own_code_before_there_is_git(project: Path) -> None:
    """Git's ignore file counts in a repository alone, and the environments lie in the folder."""
    for folder in (".venv", ".venv-sam/bin", ".venv-ministack/bin", ".aws-sam/build", ".local"):
        file = project / folder / "theirs.py"
        file.parent.mkdir(parents=True)
        file.write_text("import os , sys\n")
    done = subprocess.run(  # noqa: S603
        [f"{APP_BIN}/ruff", "check", "--show-files", "."],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    looked_at = {Path(path).relative_to(project).as_posix() for path in done.stdout.split()}
    assert looked_at == {
        "functions/processors/hello.py",
        "pyproject.toml",
        "tests/test_hello.py",
    }


def test_no_placeholder_is_left(project: Path) -> None:
    for name in own_files(project):
        text = (project / name).read_text()
        assert not re.search(r"(?<![A-Z_])(PROJECT|VERSION)(?![A-Z_])", text), name


def test_what_ships_is_pinned_as_tandem_tests_it_and_the_library_by_its_hash(
    project: Path, wheels: Path
) -> None:
    text = (project / "requirements.txt").read_text()
    tested = pins((PROJECT / "requirements.txt").read_text())
    shipped = {name: version for name, version in tested.items() if name not in OF_TABLES}
    assert pins(text) == shipped | {"tandem-lambda": "1.0.0"}
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(pins(text))
    wheel = wheels / "tandem_lambda-1.0.0-py3-none-any.whl"
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() in text
    assert (project / ".tandem/wheels" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_tools_add_their_commands_to_the_clients() -> None:
    own = declared("tools/pyproject.toml")["project"]["entry-points"]["tandem.commands"]
    assert {"new", "upgrade", "settings"} <= own.keys()
    for name, place in own.items():
        module, function = place.split(":")
        assert callable(getattr(import_module(module), function)), name


def test_what_develops_it_has_all_that_ships(project: Path) -> None:
    ships, develops = (
        pins((project / name).read_text()) for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert ships.items() <= develops.items()
    assert {*DISTRIBUTIONS, "pytest", "ruff", "mypy", "uv", "pip"} <= develops.keys()


def test_git_takes_the_example_of_settings_and_never_the_settings(project: Path) -> None:
    made = own_files(project)
    settings = (".env", ".env.prod", ".env.local", "functions/.env")
    for name in (*settings, ".local/stack.json", ".venv/bin/python", ".aws-sam/build/.tandem"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    for command in ("init", "add --all", "ls-files"):
        done = subprocess.run(  # noqa: S603
            ["git", *command.split()],  # noqa: S607
            cwd=project,
            check=True,
            capture_output=True,
            text=True,
        )
    taken = set(done.stdout.splitlines())
    assert {name for name in taken if not name.startswith(".tandem/")} == made
    assert sum(name.endswith(".whl") for name in taken) == 3


def test_the_workflow_is_yaml_that_checks_and_tests(project: Path) -> None:
    workflow = yaml.safe_load((project / ".github/workflows/ci.yml").read_text())
    runs = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert runs[-2:] == ["make check", "make test"]


@pytest.mark.parametrize("name", ["Orders", "1st", "a_b", "a--b", "-a", "a" * 31, "ä"])
def test_a_name_that_no_stack_can_have_makes_nothing(
    tmp_path: Path, wheels: Path, name: str
) -> None:
    with pytest.raises(ToolError, match="cannot be named"):
        make_project(tmp_path / name, wheels)
    assert not (tmp_path / name).exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "mine.txt").write_text("mine")
    with pytest.raises(ToolError, match="is there already"):
        make_project(tmp_path / "orders", wheels)
    assert [path.name for path in (tmp_path / "orders").iterdir()] == ["mine.txt"]


def test_wheels_of_one_version_are_needed(tmp_path: Path, wheels: Path) -> None:
    for missing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ToolError, match="has not the wheels of"):
            make_project(tmp_path / "orders", missing)
    put_wheels(wheels, "1.1.0")
    with pytest.raises(ToolError, match="in one version"):
        read_wheels(wheels)
    (wheels / "tandem_lambda_client-1.1.0-py3-none-any.whl").unlink()
    assert read_wheels(wheels)[0] == "1.0.0"


def test_installed_tools_take_the_wheels_of_their_own_version_alone(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheels(wheels, "1.1.0")
    for own in ("1.1.0", "1.0.0"):
        monkeypatch.setattr(skeleton, "tools_version", lambda own=own: own)
        assert read_wheels(wheels)[0] == own
    monkeypatch.setattr(skeleton, "tools_version", lambda: "0.9.0")
    with pytest.raises(
        ToolError, match=r"in version 0\.9\.0, .*It has: 1\.0\.0, 1\.1\.0\."
    ) as told:
        make_project(tmp_path / "orders", wheels)
    assert "pip install --find-links" in str(told.value)
    assert not (tmp_path / "orders").exists()


def test_the_three_distributions_have_the_repositorys_version_and_needs() -> None:
    root, library, tools, client = (
        declared(f"{folder}pyproject.toml") for folder in ("", "functions/", "tools/", "client/")
    )
    names = [one["project"]["name"] for one in (library, tools, client)]
    assert names == list(DISTRIBUTIONS)
    assert {one["project"]["version"] for one in (root, library, tools, client)} == {
        root["project"]["version"]
    }
    needs = {one for one in root["project"]["dependencies"] if not one.startswith("duckdb")}
    assert set(library["project"]["dependencies"]) == needs
    of_tools = {one for one in tools["project"]["dependencies"] if not one.startswith("tandem-")}
    assert of_tools <= set(root["dependency-groups"]["project"])


def test_the_tools_wheel_gets_every_file_that_a_project_is_made_of(tmp_path: Path) -> None:
    packed = list(pack(PROJECT, tmp_path))
    assert all(path.read_bytes() for path in packed)
    assert (tmp_path / "tandem/template.yaml").read_bytes() == (
        PROJECT / "template.yaml"
    ).read_bytes()


def test_a_folder_that_cannot_be_written_is_told_of_in_one_line(
    tmp_path: Path, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(typer.Exit):
        commands.new(tmp_path / "file" / "orders", wheels)
    assert "Not a directory" in capsys.readouterr().err
