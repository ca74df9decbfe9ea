"""An artifact that lacks something is refused, and one is built again when its sources change."""

from pathlib import Path

import pytest

from local.artifact import INPUTS, MUST_HOLD, compile_ahead, fingerprint, require_whole
from local.errors import StackError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built function in small."""
    built = tmp_path / "ApiFunction"
    for name in MUST_HOLD:
        (built / name).mkdir(parents=True)
        (built / name / "__init__.py").write_text("answer = 42\n")
    return built


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in INPUTS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "." in name:
            path.write_text("one")
        else:
            path.mkdir()
            (path / "app.py").write_text("one")
    return tmp_path


def test_a_whole_and_compiled_artifact_is_taken(folder: Path) -> None:
    compile_ahead(folder)
    require_whole(folder)


def test_an_artifact_without_its_dependencies_is_refused(folder: Path) -> None:
    (folder / "fastapi").rename(folder.parent / "fastapi")
    with pytest.raises(StackError, match="without fastapi"):
        require_whole(folder)


def test_an_artifact_with_a_module_that_is_not_compiled_is_refused(folder: Path) -> None:
    compile_ahead(folder)
    (folder / "api" / "late.py").write_text("")
    with pytest.raises(StackError, match=r"1 modules without \.pyc.*late\.py"):
        require_whole(folder)


def test_a_module_that_does_not_compile_is_refused(folder: Path) -> None:
    (folder / "api" / "wrong.py").write_text("def (")
    compile_ahead(folder)
    with pytest.raises(StackError, match=r"wrong\.py"):
        require_whole(folder)


def test_compiled_modules_name_the_path_that_they_have_on_lambda(folder: Path) -> None:
    compile_ahead(folder)
    (compiled,) = (folder / "api" / "__pycache__").glob("*.pyc")
    assert b"/var/task/api/__init__.py" in compiled.read_bytes()


def test_compiled_modules_do_not_depend_on_time_stamps(folder: Path) -> None:
    compile_ahead(folder)
    (compiled,) = (folder / "api" / "__pycache__").glob("*.pyc")
    unchecked_hash = (1).to_bytes(4, "little")
    assert compiled.read_bytes()[4:8] == unchecked_hash


@pytest.mark.parametrize("changed", ["functions/app.py", "template.yaml", "requirements.txt"])
def test_a_changed_source_changes_the_fingerprint(project: Path, changed: str) -> None:
    before = fingerprint(project, "arm64")
    assert fingerprint(project, "arm64") == before
    (project / changed).write_text("two")
    assert fingerprint(project, "arm64") != before


def test_a_renamed_source_changes_the_fingerprint(project: Path) -> None:
    before = fingerprint(project, "arm64")
    (project / "functions" / "app.py").rename(project / "functions" / "other.py")
    assert fingerprint(project, "arm64") != before


def test_each_processor_has_a_fingerprint_of_its_own(project: Path) -> None:
    assert fingerprint(project, "arm64") != fingerprint(project, "x86_64")


def test_what_running_leaves_behind_does_not_change_the_fingerprint(project: Path) -> None:
    before = fingerprint(project, "arm64")
    cache = project / "functions" / "__pycache__"
    cache.mkdir()
    (cache / "app.cpython-313.pyc").write_bytes(b"")
    assert fingerprint(project, "arm64") == before
