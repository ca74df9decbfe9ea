"""`sam build` with this project's own programs, unless it would make what is there already.

What it makes is made by tandem_tools.build, whose Makefile the template names.
"""

import fcntl
import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tandem_tools.build import sizes
from tandem_tools.build.complete import require_complete
from tandem_tools.build.processors import require_processors
from tandem_tools.build.settings import REQUIREMENTS
from tandem_tools.build.store import Store
from tandem_tools.build.tree import files, machine_architecture
from tandem_tools.deploy.environments import longest_worker_seconds
from tandem_tools.environment import for_sam
from tandem_tools.errors import ToolError
from tandem_tools.paths import APP_BIN, BUILD, PROJECT, SAM_BIN, program, tools_version

__all__ = ["FUNCTIONS", "build", "fingerprint", "machine_architecture", "sizes_table"]

FUNCTIONS = (
    "ApiFunction",
    "WorkerFunction",
    "CallbackFunction",
    "ReportFunction",
    "CanaryFunction",
)
INPUTS = (
    "functions",
    "tools/build",
    "tools/find-python",
    "template.yaml",
    "samconfig.toml",
    "pyproject.toml",
    "requirements.txt",
)
STAMP = ".tandem"

_ARCHITECTURE = re.compile(
    r"^(  Architecture:\n(?:    (?!Default:).*\n)*)"
    r"    Default: .*\n    AllowedValues:(?: \[.*\]\n|\n(?:    - .*\n)+)",
    re.MULTILINE,
)
"""The parameter, as the template has it and as `sam build` writes it."""


def build(architecture: str, *, worker_seconds: float | None = None) -> bool:
    """Build for a processor, unless the artifact is already that of these very sources.

    Args:
        architecture: the processor.
        worker_seconds: the timeout of the worker that it is for. None for the longest that any
            deployment of this project gives.

    Returns:
        Whether there was anything to do.

    Raises:
        ToolError: a processor cannot be imported or asks for more time than that, the build failed,
            or its result is not whole.
    """
    with _alone():
        wanted = fingerprint(PROJECT, architecture)
        stamp = BUILD / STAMP
        if stamp.is_file() and stamp.read_text() == wanted:
            return False
        require_processors(PROJECT / "functions", worker_seconds or longest_worker_seconds())
        run_sam_build(architecture)
        built = BUILD / "template.yaml"
        built.write_text(only_for(architecture, built.read_text()))
        requirements = (PROJECT / REQUIREMENTS).read_text()
        for name in FUNCTIONS:
            require_complete(BUILD / name, requirements)
        stamp.write_text(wanted)
        return True


def only_for(architecture: str, template: str) -> str:
    """Return a template that deploys code of one processor, and refuses to deploy it for another.

    What `make run` built for this machine would else be deployed by a plain `sam deploy` with the
    parameter's default, or as an earlier deployment had it.
    """
    narrowed = f"\\g<1>    Default: {architecture}\n    AllowedValues: [{architecture}]\n"
    changed, count = _ARCHITECTURE.subn(narrowed, template)
    if count != 1:
        raise ToolError(
            "The template's parameter Architecture is not as Tandem's template has it.",
            "Give it a Default and AllowedValues, in this order, at the end.",
        )
    return changed


def sizes_table(architecture: str) -> str:
    """Return the sizes of what was built, as a Markdown table."""
    return sizes.table(Store(PROJECT, architecture).sizes(), architecture)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process build at a time: `make run` and `make test` may both find it needed."""
    BUILD.parent.mkdir(exist_ok=True)
    with (BUILD.parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(project: Path, architecture: str) -> str:
    """Return a hash of everything that the artifact is made of."""
    # Another version of the tools makes, and refuses, what this one does not.
    digest = hashlib.sha256(f"{architecture} {tools_version()}".encode())
    for path in files(Path(__file__).parent):
        if path.suffix == ".py":
            digest.update(path.read_bytes())
    for path in sorted(_inputs(project)):
        digest.update(f"\0{path.relative_to(project)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _inputs(project: Path) -> Iterator[Path]:
    for name in INPUTS:
        path = project / name
        if path.is_dir():
            yield from (
                found
                for found in path.rglob("*")
                if found.is_file() and "__pycache__" not in found.parts
            )
        elif path.is_file():
            yield path


def run_sam_build(architecture: str) -> None:
    """Run `sam build`, which compiles with the Python of this environment."""
    command = [
        program(SAM_BIN / "sam"),
        "build",
        "--parameter-overrides",
        f"Architecture={architecture}",
    ]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=for_sam(str(APP_BIN)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolError(
            f"sam build failed:\n{done.stderr.strip()}",
            "Put right what the last lines name, then run it again.",
        )
