import shutil
from pathlib import Path

import pytest

from tandem_tools.paths import PROJECT
from tandem_tools.project import skeleton

collect_ignore = ["first_day"]
"""Tests of a project of one's own, which test_from_wheels.py runs there."""


def put_wheels(folder: Path, version: str) -> Path:
    """Fill a folder with what looks like the three wheels of a version, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in skeleton.DISTRIBUTIONS:
        file = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        file.write_bytes(f"{name} {version}".encode())
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return put_wheels(tmp_path / "wheels", "1.0.0")


@pytest.fixture
def tandem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Tandem's own files, for a test to change as another version would."""
    checkout = tmp_path / "tandem"
    for path in skeleton.FROM_TANDEM:
        target = checkout / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, target)
    monkeypatch.setattr(skeleton, "CHECKOUT", checkout)
    return checkout
