"""What goes into a wheel: the sources that git has, and nothing that lies beside them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tandem_tools.errors import ToolError
from tandem_tools.project.packaging import _sources_alone


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    for name in ("functions/tandem", "tools/tandem_tools", "client/tandem_client"):
        (folder / name).mkdir(parents=True)
        (folder / name / "module.py").touch()
    (folder / ".gitignore").write_text("*.csv\nscratch/\n")
    return folder


def tracked(checkout: Path) -> None:
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)  # noqa: S603, S607


def copied(checkout: Path, into: Path) -> set[str]:
    left_out = _sources_alone(checkout)
    shutil.copytree(checkout / "functions", into, ignore=left_out)
    return {str(path.relative_to(into)) for path in into.rglob("*") if path.is_file()}


def test_what_git_ignores_is_left_out(checkout: Path, tmp_path: Path) -> None:
    tracked(checkout)
    (checkout / "functions/orders.csv").touch()
    (checkout / "functions/scratch").mkdir()
    (checkout / "functions/scratch/notes.py").touch()
    assert copied(checkout, tmp_path / "copy") == {"tandem/module.py"}


@pytest.mark.parametrize(
    "name",
    ["functions/tandem/notes.ipynb", "client/tandem_client/orders.db", "tools/tandem_tools/new.py"],
)
def test_what_git_does_not_know_is_named(checkout: Path, name: str) -> None:
    tracked(checkout)
    (checkout / name).touch()
    with pytest.raises(ToolError, match=f"what git does not know: {name}"):
        _sources_alone(checkout)


@pytest.mark.parametrize("name", ["processors/mine.py", "orders.db", "tandem/.DS_Store"])
def test_what_no_wheel_would_hold_is_left_out_and_not_refused(
    checkout: Path, tmp_path: Path, name: str
) -> None:
    tracked(checkout)
    (checkout / "functions" / name).parent.mkdir(exist_ok=True)
    (checkout / "functions" / name).touch()
    assert copied(checkout, tmp_path / "copy") == {"tandem/module.py"}


def test_a_source_that_was_deleted_is_not_missed(checkout: Path, tmp_path: Path) -> None:
    tracked(checkout)
    (checkout / "functions/tandem/module.py").unlink()
    assert copied(checkout, tmp_path / "copy") == set()


def test_without_git_the_sources_are_taken_as_they_are(checkout: Path, tmp_path: Path) -> None:
    (checkout / "functions/.env").touch()
    assert copied(checkout, tmp_path / "copy") == {"tandem/module.py"}


def test_a_repository_that_git_cannot_read_is_said(checkout: Path) -> None:
    (checkout / ".git").mkdir()
    with pytest.raises(ToolError, match="git does not list the sources"):
        _sources_alone(checkout)
