"""The application is built again when one of its sources changes."""

from pathlib import Path

import pytest

import tandem
from tandem_tools.build import sam
from tandem_tools.build.sam import INPUTS, fingerprint, only_for
from tandem_tools.errors import ToolError
from tandem_tools.template import TEMPLATE_FILE, load_template


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


def test_another_version_of_the_tools_builds_anew(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for version in ("0.1.0", "0.2.0", None):
        monkeypatch.setattr(sam, "tools_version", lambda version=version: version)
        found.add(fingerprint(project, "arm64"))
    assert len(found) == 3


def test_a_changed_source_of_the_build_itself_changes_the_fingerprint(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "sam.py"
    own.parent.mkdir()
    monkeypatch.setattr(sam, "__file__", str(own))
    found = set()
    for text in ("one", "two"):
        own.write_text(text)
        found.add(fingerprint(project, "arm64"))
    assert len(found) == 2


def test_what_running_leaves_behind_does_not_change_the_fingerprint(project: Path) -> None:
    before = fingerprint(project, "arm64")
    cache = project / "functions" / "__pycache__"
    cache.mkdir()
    (cache / "app.cpython-313.pyc").write_bytes(b"")
    assert fingerprint(project, "arm64") == before


BUILT = """
Parameters:
  Architecture:
    Description: The processor.
    Type: String
    Default: arm64
    AllowedValues:
    - arm64
    - x86_64
  Other:
    Default: a
    AllowedValues:
    - a
    - b
"""
"""As `sam build` writes it."""


@pytest.mark.parametrize("template", [TEMPLATE_FILE.read_text(), BUILT])
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_what_was_built_for_a_processor_is_deployed_for_no_other(
    tmp_path: Path, template: str, architecture: str
) -> None:
    (tmp_path / "before.yaml").write_text(template)
    (tmp_path / "after.yaml").write_text(only_for(architecture, template))
    before, after = (load_template(tmp_path / f"{name}.yaml") for name in ("before", "after"))
    parameter = after["Parameters"]["Architecture"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (architecture, [architecture])
    before["Parameters"]["Architecture"] |= {
        "Default": architecture,
        "AllowedValues": [architecture],
    }
    assert before == after


def test_a_template_without_the_parameter_is_refused() -> None:
    with pytest.raises(ToolError, match="Architecture is not as"):
        only_for("arm64", "Parameters: {}\n")


def test_processors_that_cannot_be_imported_are_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = tmp_path / "functions"
    (functions / "processors").mkdir(parents=True)
    (functions / "tandem").symlink_to(Path(tandem.__file__).parent)
    (functions / "processors" / "broken.py").write_text("import nowhere\n")
    monkeypatch.setattr(sam, "PROJECT", tmp_path)
    monkeypatch.setattr(sam, "BUILD", tmp_path / "sam" / "build")
    with pytest.raises(ToolError, match=r"cannot be imported: processors\.broken, line 1: Module"):
        sam.build("arm64")
    assert not (tmp_path / "sam" / "build").exists()
