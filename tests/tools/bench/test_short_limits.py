"""A build with shorter limits differs in these alone, and leaves the other build as it was."""

import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from tandem_tools.bench.short_limits import with_limits
from tandem_tools.build.sam import FUNCTIONS

LIMITS = (
    "from datetime import timedelta\n\nLEASE = timedelta(seconds=65)\nGRACE = timedelta(hours=1)\n"
)


@pytest.fixture
def build_dir(tmp_path: Path) -> Path:
    package = tmp_path / "build" / FUNCTIONS[0] / "tandem"
    package.mkdir(parents=True)
    (package / "limits.py").write_text(LIMITS)
    (package / "settings.py").write_text("")
    py_compile.compile(
        str(package / "limits.py"),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    (tmp_path / "build" / "template.yaml").write_text("template")
    return tmp_path / "build"


def lease_in(build_dir: Path) -> str:
    """Return what Python takes for the lease, as a function of that build does."""
    return subprocess.run(
        [sys.executable, "-B", "-c", "from tandem.limits import LEASE; print(LEASE)"],
        cwd=build_dir / FUNCTIONS[0],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_limit_is_shorter_in_the_new_build_alone(build_dir: Path, tmp_path: Path) -> None:
    shorter = with_limits(tmp_path / "shorter", {"LEASE": 15}, build_dir)

    assert lease_in(shorter) == "0:00:15"
    assert lease_in(build_dir) == "0:01:05"
    assert (shorter / "template.yaml").read_text() == "template"
    assert (shorter / FUNCTIONS[0] / "tandem" / "settings.py").exists()


def test_a_limit_that_is_not_there_is_refused(build_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no duration LEASES"):
        with_limits(tmp_path / "shorter", {"LEASES": 15}, build_dir)
