"""What is in the repository, or would be with the next commit."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tandem_tools.paths import PROJECT


@pytest.fixture(scope="session")
def tree() -> list[Path]:
    """Return the files that git keeps, and those that it would add."""
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("not a git checkout")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    paths = [PROJECT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]
