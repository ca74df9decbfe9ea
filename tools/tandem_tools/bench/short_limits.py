"""A build of the application with shorter limits: no soak waits minutes for each recovery."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tandem_tools.build.sam import FUNCTIONS
from tandem_tools.paths import BUILD

_SECONDS = "timedelta(seconds={})"


def with_limits(folder: Path, seconds: Mapping[str, float], build_dir: Path = BUILD) -> Path:
    """Return a build that differs from another one in these limits alone.

    Args:
        folder: where it is made. Its other files are links to those of the other build.
        seconds: the names of durations in tandem/limits.py, and their new values.
        build_dir: the other build.

    Raises:
        ValueError: there is no such duration.
    """
    code = folder / FUNCTIONS[0]
    shutil.copytree(build_dir / FUNCTIONS[0], code, copy_function=_link)
    shutil.copy(build_dir / "template.yaml", folder)
    limits = code / "tandem" / "limits.py"
    source = limits.read_text()
    for name, value in seconds.items():
        source, found = re.subn(
            rf"(?m)^{name} = timedelta\(.*\)$", f"{name} = {_SECONDS.format(value)}", source
        )
        if found != 1:
            message = f"tandem/limits.py has no duration {name}"
            raise ValueError(message)
    for compiled in (limits.parent / "__pycache__").glob("limits.*.pyc"):
        compiled.unlink()  # Python would take it, and not look at the source
    limits.unlink()  # as it is a link, to write to it would change the other build
    limits.write_text(source)
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # they are on different file systems
        shutil.copy2(source, target)
