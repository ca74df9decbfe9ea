"""The application's processors, looked at in a child process: this one has those of its start."""

import os
import subprocess
import sys
from pathlib import Path

from tandem_tools.paths import APP_BIN, CHECKOUT


def run_with_processors(
    program: str, *arguments: str, functions: Path, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program that imports processors as a function does, and writes nothing beside them.

    In a project it runs in the project's own environment, which has what the processors need: the
    `tandem` command may be another one's.

    Args:
        program: Python.
        arguments: `sys.argv[1:]` of it.
        functions: the folder that has the packages of processors.
        given: what it reads from its standard input.
    """
    more = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return subprocess.run(
        [_python(), "-c", program, *arguments],
        cwd=functions,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(functions), *more]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def _python() -> str:
    own = APP_BIN / "python"
    return str(own) if CHECKOUT is None and own.exists() else sys.executable


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return why such a program ended, as one line: a traceback may show what lines hold."""
    return (done.stderr.strip() or f"Python ended with {done.returncode}").splitlines()[-1]
