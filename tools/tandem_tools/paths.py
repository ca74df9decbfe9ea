"""The places of a checkout."""

from pathlib import Path

from tandem_tools.errors import ToolError

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = PROJECT / "tools"
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
