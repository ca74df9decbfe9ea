"""The application is built again when one of its sources changes."""

from pathlib import Path

import pytest

from tandem_tools.build.sam import INPUTS, fingerprint


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


@pytest.mark.parametrize(
    "changed",
    ["functions/app.py", "tools/build/rules.mk", "template.yaml", "requirements.txt"],
)
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
