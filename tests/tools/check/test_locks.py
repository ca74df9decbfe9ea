"""The lock files: every package pinned by its hashes, and in step with what pyproject.toml asks."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tandem_tools.paths import PROJECT

DOCUMENT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((PROJECT / "client" / "pyproject.toml").read_text())
GROUPS = DOCUMENT["dependency-groups"]

WANTED = {
    "requirements.txt": DOCUMENT["project"]["dependencies"],
    "requirements-dev.txt": [
        *DOCUMENT["project"]["dependencies"],
        *CLIENT["project"]["dependencies"],
        *GROUPS["dev"],
    ],
    "tools/tandem_tools/locks/ministack.txt": GROUPS["ministack"],
    "tools/tandem_tools/locks/sam.txt": GROUPS["sam"],
    "tools/tandem_tools/locks/checkov.txt": GROUPS["checkov"],
    "tools/tandem_tools/locks/project.txt": [
        *CLIENT["project"]["dependencies"],
        *GROUPS["project"],
    ],
    "tools/tandem_tools/locks/tables.txt": [
        *DOCUMENT["project"]["dependencies"],
        *GROUPS["tables"],
    ],
}
HASHED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>\S+)"
    r"(?P<marker> ; [^\\\n]+)?(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)$",
    re.MULTILINE,
)


def locked(text: str) -> dict[str, list[Version]]:
    """Return the versions of each package that a lock file pins with hashes."""
    versions: dict[str, list[Version]] = {}
    for found in HASHED.finditer(text):
        name = canonicalize_name(found["name"])
        versions.setdefault(name, []).append(Version(found["version"]))
    return versions


def without_hash(text: str) -> list[str]:
    """Return what a lock file says beside packages with hashes, and comments."""
    rest = re.sub(r"(?m)^\s*#.*$", "", HASHED.sub("", text))
    return [line for line in rest.splitlines() if line.strip()]


@pytest.mark.parametrize("lock", WANTED)
def test_every_package_is_pinned_with_its_hashes_and_nothing_else_is_said(lock: str) -> None:
    text = (PROJECT / lock).read_text()
    assert without_hash(text) == []
    assert len(locked(text)) >= len(WANTED[lock])


@pytest.mark.parametrize("lock", WANTED)
def test_what_is_asked_for_is_locked_in_a_version_that_was_asked_for(lock: str) -> None:
    versions = locked((PROJECT / lock).read_text())
    for text in WANTED[lock]:
        asked = Requirement(text)
        found = versions.get(canonicalize_name(asked.name), [])
        assert found, f"{asked.name} is not in {lock}: make lock"
        assert all(one in asked.specifier for one in found), f"{asked} in {lock}: make lock"


@pytest.mark.parametrize("lock", ["requirements-dev.txt", "tools/tandem_tools/locks/tables.txt"])
def test_what_ships_is_tested_in_the_version_that_ships(lock: str) -> None:
    shipped = locked((PROJECT / "requirements.txt").read_text())
    tested = locked((PROJECT / lock).read_text())
    assert {name: tested.get(name) for name in shipped} == shipped


def test_no_lock_file_is_overlooked() -> None:
    found = {
        str(path.relative_to(PROJECT))
        for pattern in ("requirements*.txt", "client/*.txt", "tools/tandem_tools/locks/*.txt")
        for path in PROJECT.glob(pattern)
    }
    assert found == set(WANTED)


def test_a_package_without_a_hash_would_be_found() -> None:
    good = "a==1.0 \\\n    --hash=sha256:" + "0" * 64
    assert without_hash(good) == []
    assert without_hash(f"{good}\nb==2.0\n") == ["b==2.0"]
    assert without_hash("c @ https://example.com/c.whl\n") != []
