"""What is deployed: built by the SAM CLI, compiled ahead, and checked before anyone trusts it.

Lambda's file system is read only, so a module without a `.pyc` is compiled again on every cold
start. The compiled files carry the hash of no source (`unchecked-hash`), because time stamps do
not survive the zip file.
"""

import compileall
import fcntl
import hashlib
import importlib.util
import os
import platform
import py_compile
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.environment import for_sam
from local.errors import StackError
from local.paths import APP_BIN, BUILD, PROJECT, SAM_BIN, program

FUNCTIONS = ("ApiFunction", "WorkerFunction", "CallbackFunction", "ReportFunction")
ARCHITECTURES = ("arm64", "x86_64")
LAMBDA_ROOT = "/var/task"
MUST_HOLD = (
    "fastapi",
    "pydantic",
    "api",
    "worker",
    "callback",
    "report",
    "processors",
    "tandem",
)
INPUTS = ("functions", "template.yaml", "samconfig.toml", "requirements.txt", "local/artifact.py")
STAMP = ".tandem"


def machine_architecture() -> str:
    """Return this machine's processor, in Lambda's words."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def build(architecture: str) -> bool:
    """Build for a processor, unless the artifact is already that of these very sources.

    Returns:
        Whether there was anything to do.

    Raises:
        StackError: the build failed, or its result is not whole.
    """
    with _alone():
        wanted = fingerprint(PROJECT, architecture)
        stamp = BUILD / STAMP
        if stamp.is_file() and stamp.read_text() == wanted:
            return False
        run_sam_build(architecture)
        for name in FUNCTIONS:
            compile_ahead(BUILD / name)
            require_whole(BUILD / name)
        stamp.write_text(wanted)
        return True


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process build at a time: `make run` and `make test` may both find it needed."""
    BUILD.parent.mkdir(exist_ok=True)
    with (BUILD.parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(project: Path, architecture: str) -> str:
    """Return a hash of everything that the artifact is made of."""
    digest = hashlib.sha256(architecture.encode())
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
    """Run `sam build` with the runtime's Python first on the PATH, as its builder wants it."""
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
        raise StackError(
            f"sam build failed:\n{done.stderr.strip()}",
            "Put right what the last lines name, then run it again.",
        )


def compile_ahead(folder: Path) -> None:
    """Compile every module of an artifact, with the paths it will have on Lambda."""
    compileall.compile_dir(
        folder,
        quiet=2,
        workers=os.cpu_count() or 1,
        stripdir=str(folder),
        prependdir=LAMBDA_ROOT,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def require_whole(folder: Path) -> None:
    """Refuse an artifact without its dependencies or with a module that is not compiled.

    `sam build` says that it succeeded even when it found no manifest and packed no dependency.

    Raises:
        StackError: what is missing.
    """
    absent = [name for name in MUST_HOLD if not (folder / name).is_dir()]
    if absent:
        raise StackError(
            f"{folder.name} was built without {', '.join(absent)}.",
            "Build from the project's folder, where samconfig.toml names requirements.txt.",
        )
    uncompiled = [path for path in folder.rglob("*.py") if not _compiled(path).is_file()]
    if uncompiled:
        raise StackError(
            f"{folder.name} has {len(uncompiled)} modules without .pyc, as {uncompiled[0]}.",
            "Look for a syntax that Python 3.13 refuses in that module.",
        )


def _compiled(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))
