"""`python -m tandem_tools package`: the three distributions, as wheels in dist/."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT
from tandem_tools.project.skeleton import DISTRIBUTIONS, pack

_NO_SOURCES = shutil.ignore_patterns("__pycache__", ".*")
_LICENSE = 'license = "Apache-2.0"\n'
SOURCES = {"functions": "tandem", "tools": "tandem_tools", "client": "tandem_client"}
"""The folders with a pyproject.toml of their own, and the package in each that a wheel holds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the wheels and return the exit code."""
    if arguments:
        print("usage: python -m tandem_tools package", file=sys.stderr)
        return 2
    try:
        made = make_wheels(PROJECT, PROJECT / "dist")
    except ToolError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(
        *(f"{path.relative_to(PROJECT)}  {path.stat().st_size:,} bytes" for path in made), sep="\n"
    )
    return 0


def make_wheels(
    checkout: Path,
    into: Path,
    *,
    version: str | None = None,
    edit: Callable[[Path], None] = lambda _: None,
) -> list[Path]:
    """Make the wheels of a checkout and return their paths. The same sources give the same bytes.

    Args:
        checkout: Tandem's repository.
        into: the folder that they go into. What it had of them is replaced.
        version: by default the repository's own.
        edit: changes the copies of the sources, for a test, before they are packed.

    Raises:
        ToolError: they could not be made, git does not know a file in a package, or the
            repository's files name several versions.
    """
    own = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    left_out = _sources_alone(checkout)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with TemporaryDirectory(prefix="package-") as scratch:
        for name in SOURCES:
            folder = Path(scratch, name)
            shutil.copytree(checkout / name, folder, ignore=left_out)
            shutil.copy(checkout / "LICENSE", folder)
            if name == "tools":
                list(pack(checkout, folder / "tandem_tools" / "project"))
            settings = (folder / "pyproject.toml").read_text()
            if tomllib.loads(settings)["project"]["version"] != own:
                raise ToolError(f"{name}/pyproject.toml has another version than {own}.", "Set it.")
            renamed = settings.replace(f'version = "{own}"', f'version = "{version or own}"')
            # Not in the folder itself: the client is also installed from there.
            renamed = renamed.replace(_LICENSE, f'{_LICENSE}license-files = ["LICENSE"]\n')
            for distribution in DISTRIBUTIONS:
                pin = f"{distribution}=={own}"
                renamed = renamed.replace(pin, f"{distribution}=={version or own}")
            (folder / "pyproject.toml").write_text(renamed)
        edit(Path(scratch))
        for name in SOURCES:
            _build(Path(scratch, name), into)
    (into / ".gitignore").unlink(missing_ok=True)
    return sorted(into.glob("*.whl"))


def _sources_alone(checkout: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what tells copytree which files are no sources: those that git does not have.

    A checkout without git, such as an unpacked archive, is taken as it is.

    Raises:
        ToolError: git neither has a file of a package nor ignores it. A new module is such a file,
            and a wheel without it would not work.
    """
    if not (checkout / ".git").exists():
        return _NO_SOURCES
    packages = [f"{name}/{package}" for name, package in SOURCES.items()]
    new = _listed(checkout, "--others", "--exclude-standard", "--", *packages)
    if strays := [name for name in new if not _NO_SOURCES("", name.split("/"))]:
        raise ToolError(
            f"Wheels would hold what git does not know: {', '.join(strays)}.",
            "Add it to git (git add), or put it elsewhere.",
        )
    known = {checkout / name for name in _listed(checkout, "--cached", "--", *SOURCES)}
    kept = known | {folder for path in known for folder in path.parents}

    def left_out(folder: str, names: list[str]) -> set[str]:
        found = {name for name in names if Path(folder, name) not in kept}
        return found | _NO_SOURCES(folder, names)

    return left_out


def _listed(checkout: Path, *which: str) -> list[str]:
    command = ["git", "ls-files", "-z", *which]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolError(
            f"git does not list the sources: {error}.", "Run git status, and mend what it says."
        ) from None
    return [name for name in done.stdout.split("\0") if name]


def _build(folder: Path, into: Path) -> None:
    done = subprocess.run(
        ["uv", "build", "--quiet", "--wheel", "--out-dir", str(into), str(folder)],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolError(
            f"{folder.name} could not be packaged:\n{done.stderr}", "Mend what it names."
        )


def _environment() -> dict[str, str]:
    """Return this process's environment, with the programs beside its Python first."""
    beside = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])}
