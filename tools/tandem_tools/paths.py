"""The places of a project: of a checkout of Tandem, or of a project of one's own."""

from importlib.metadata import version
from pathlib import Path

from tandem_tools.errors import ToolError

TOOLS = Path(__file__).resolve().parents[1]
"""Where this package is: in a checkout's tools/, or among the packages of an environment."""
CHECKOUT = TOOLS.parent if (TOOLS.parent / "template.yaml").is_file() else None
"""Tandem's own repository, where the tools run from it."""


COMMAND = "tandem" if CHECKOUT is None else "PYTHONPATH=tools .venv/bin/python -m tandem_tools"
"""How a person calls the tools in this project."""


def tools_version() -> str | None:
    """Return the version of the tools' wheel. None in a checkout, which is of no one version."""
    return version("tandem-lambda-tools") if CHECKOUT is None else None


def _project() -> Path:
    """Return the folder that the tools work on: the nearest one with a template and functions."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "template.yaml").is_file() and (folder / "functions").is_dir():
            return folder
    return here


PROJECT = CHECKOUT or _project()
LOCKS = TOOLS / "tandem_tools" / "locks"
"""The lock files of the environments that hold programs."""
BUILD = PROJECT / ".aws-sam" / "build"
STATE = PROJECT / ".local"
STACK_FILE = STATE / "stack.json"
SAMPLE = PROJECT / "events" / "orders.csv"

APP_BIN = PROJECT / ".venv" / "bin"
MINISTACK_BIN = PROJECT / ".venv-ministack" / "bin"
SAM_BIN = PROJECT / ".venv-sam" / "bin"


def program(path: Path) -> str:
    """Return the path of a program in one of the virtual environments.

    Raises:
        ToolError: it is not there.
    """
    if not path.exists():
        raise ToolError(f"{path} is not there.", "Make the virtual environments: make setup")
    return str(path)
