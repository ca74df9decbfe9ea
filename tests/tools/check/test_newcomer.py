"""A newcomer drops the first processor in as the pages say: every gate stays green."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tandem_tools.paths import PROJECT
from tests.factories.pages import python_blocks

PAGES = ("README.md", "docs/how-to/write-a-processor.md")
NAMED = Path("functions", "processors", "count_words.py")
ENVIRONMENTS = (".venv", ".venv-checkov", ".venv-ministack", ".venv-sam")
CATALOGUE_TESTS = (
    "tests/unit/test_imports.py",
    "tests/unit/test_docs.py",
    "tests/unit/processing",
    "tests/unit/http/test_contract.py",
    "tests/unit/http/test_document.py",
    "tests/unit/http/test_snapshot.py",
    "tests/client/test_generated.py",
)
"""Those of `make test` that look at the processors there are, beside those of the samples."""


def first_processor(page: str) -> str:
    """Return the whole module that a page shows first."""
    return python_blocks(page)[0]


def test_the_pages_show_the_same_first_processor() -> None:
    assert len({first_processor(page) for page in PAGES}) == 1


def checkout(folder: Path) -> Path:
    """Return a copy of this checkout, with this one's environments and what it has built."""
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    shutil.copytree(PROJECT, folder, ignore=ignored)
    for name in (".github", ".ci"):
        shutil.copytree(PROJECT / name, folder / name)
    for name in (".cfnlintrc", ".checkov.yaml", ".gitignore"):
        shutil.copy2(PROJECT / name, folder)
    for name in ENVIRONMENTS:
        (folder / name).symlink_to(PROJECT / name)
    for name in (".aws-sam/artifact", ".mypy_cache"):  # what is there already is quicker
        if (PROJECT / name).exists():
            shutil.copytree(PROJECT / name, folder / name)
    return folder


@pytest.mark.timeout(600)
def test_every_gate_stays_green_when_it_is_dropped_in(tmp_path: Path) -> None:
    copy = checkout(tmp_path / "copy")
    (copy / NAMED).write_text(first_processor("README.md"))
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CATALOGUE_TESTS]
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    for command in (["make", "check"], tests):
        done = subprocess.run(  # noqa: S603 - the gates themselves
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
