"""`python -m tandem_tools environments`: the emulator's and the SAM CLI's, from their locks."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tandem_tools.paths import LOCKS, PROJECT


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the environments that are not as their lock files say, and return the exit code."""
    if arguments:
        print("usage: python -m tandem_tools environments", file=sys.stderr)
        return 2
    for name in ("ministack", "sam"):
        folder, lock = PROJECT / f".venv-{name}", LOCKS / f"{name}.txt"
        made = folder / ".made-from"
        if made.is_file() and made.read_bytes() == lock.read_bytes():
            continue
        print(f"Making {folder.name} …", flush=True)
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run(
            [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)],
            check=True,
        )
        subprocess.run(
            [uv, "pip", "sync", "--quiet", f"--python={folder / 'bin' / 'python'}", str(lock)],
            check=True,
        )
        made.write_bytes(lock.read_bytes())
    return 0
