"""The import of the processors, tried before a function does it: a function logs no text."""

import os
import subprocess
import sys
from pathlib import Path

_IMPORT = """
import traceback
from tandem.processing.catalogue import installed
from tandem.settings import settings
packages = settings().processors
try:
    installed()
except Exception as error:
    frames = traceback.walk_tb(error.__traceback__)
    own = [
        (name, line)
        for frame, line in frames
        if (name := frame.f_globals.get("__name__", "")).startswith(packages)
    ]
    where = f"{own[-1][0]}, line {own[-1][1]}: " if own else ""
    print(f"{where}{type(error).__name__}: {error}")
"""
"""Prints what went wrong, with the last line of a processor's own that it passed."""


def import_error(functions: Path) -> str | None:
    """Return why the processors in a folder cannot be imported, as a function imports them.

    It is tried in a process of its own: this one has its own processors.
    """
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT],
        cwd=functions,
        env={**os.environ, "PYTHONPATH": str(functions), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.returncode:
        return done.stdout.strip() or None
    return (done.stderr.strip() or f"Python ended with {done.returncode}").splitlines()[-1]
