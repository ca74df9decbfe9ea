"""The functions' dependencies: pinned wheels of their processor, by hash."""

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from tandem_tools.build.settings import PYTHON
from tandem_tools.errors import ToolError

_PROCESSORS = {"arm64": "aarch64", "x86_64": "x86_64"}
_GLIBC = range(34, 16, -1)
"""The minor versions of glibc 2 that wheels may ask for: the runtime has 2.34."""
_NO_WHEEL = re.compile(r"^ERROR: No matching distribution found for (\S+)", re.MULTILINE)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Package:
    """One installed distribution, as its wheel says."""

    name: str
    version: str
    wheel_sha256: str
    files: tuple[str, ...]
    """What it installed, relative to the tree."""


def install(requirements: Path, architecture: str, tree: Path, scratch: Path) -> list[Package]:
    """Install the pinned requirements into a tree. Nothing is built and nothing of them runs.

    Args:
        requirements: pins with hashes.
        architecture: the functions' processor. This machine's may be another.
        tree: where to.
        scratch: for pip's report.

    Returns:
        What was installed, by name.

    Raises:
        ToolError: pip is missing or failed, or a hash is not the pinned one.
    """
    if importlib.util.find_spec("pip") is None:
        raise ToolError(
            f"{sys.executable} has no pip, which installs the dependencies.",
            "Make the project's own Python: make setup. Or: python3.13 -m ensurepip",
        )
    report = scratch / "report.json"
    done = subprocess.run(
        _command(requirements, architecture, tree, report),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolError(
            f"pip could not install {requirements.name} for {architecture}:\n{done.stderr.strip()}",
            advice_on(done.stderr, architecture),
        )
    hashes = _wheel_hashes(json.loads(report.read_text()))
    return sorted(
        (_package(found, hashes) for found in distributions(path=[str(tree)])),
        key=lambda one: one.name,
    )


def advice_on(said: str, architecture: str) -> str:
    """Return what to do about what pip said."""
    if (missing := _NO_WHEEL.search(said)) is not None:
        return (
            f"{missing[1]} has no wheel for Linux on {architecture}, or no index has it. Take "
            "another version or another package, in pyproject.toml, then: make lock"
        )
    return "Each line must be pinned with hashes and have a wheel for Linux: make lock"


def pins(requirements: str) -> dict[str, str]:
    """Return the versions that a requirements file pins, by normalized name."""
    return {normalized(name): version for name, version in _PIN.findall(requirements)}


def normalized(name: str) -> str:
    """Return a distribution's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _command(requirements: Path, architecture: str, tree: Path, report: Path) -> list[str]:
    processor = _PROCESSORS[architecture]
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in _GLIBC]
    return [
        *(sys.executable, "-m", "pip", "install"),
        *("--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-compile", "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--implementation=cp", f"--python-version={PYTHON[0]}.{PYTHON[1]}"),
        *(f"--platform={platform}" for platform in [*platforms, f"manylinux2014_{processor}"]),
        *(f"--target={tree}", f"--report={report}", f"--requirement={requirements}"),
    ]


def _wheel_hashes(report: dict[str, Any]) -> dict[str, str]:
    found = {}
    for installed in report["install"]:
        wheel = installed["download_info"]["archive_info"]["hashes"]
        found[normalized(installed["metadata"]["name"])] = wheel["sha256"]
    return found


def _package(found: Distribution, hashes: dict[str, str]) -> Package:
    name = normalized(found.metadata["Name"])
    return Package(
        name=name,
        version=found.version,
        wheel_sha256=hashes[name],
        files=tuple(sorted(path.as_posix() for path in found.files or ())),
    )
