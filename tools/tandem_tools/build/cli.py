"""`python -m tandem_tools artifact`: the artifact for one processor.

`sam build` calls it for each function, with the folder that the code goes into. It needs Python
3.13 with pip, and nothing else.
"""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is asked for and return the exit code."""
    # Before anything is imported that an older Python could not even read.
    if sys.version_info[:2] != (3, 13) or sys.implementation.name != "cpython":
        print(
            f"The artifact is compiled for Lambda's python3.13; this is {sys.implementation.name} "
            f"{platform.python_version()} ({sys.executable}).\n"
            "  → Name a Python 3.13 in the variable PYTHON, or make the project's own: make setup",
            file=sys.stderr,
        )
        return 1

    from tandem_tools.build import sizes
    from tandem_tools.build.settings import ARCHITECTURES
    from tandem_tools.build.store import Store
    from tandem_tools.build.tree import machine_architecture
    from tandem_tools.errors import ToolError
    from tandem_tools.paths import PROJECT

    parser = argparse.ArgumentParser(prog="python -m tandem_tools artifact", description=__doc__)
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=machine_architecture())
    parser.add_argument("--into", type=Path, help="an empty folder that gets the code")
    chosen = parser.parse_args(arguments)
    store = Store(PROJECT, chosen.architecture)
    try:
        with store.alone():
            made = store.make()
            if chosen.into is not None:
                store.copy_into(chosen.into)
    except ToolError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    if made or chosen.into is None:
        print(sizes.table(store.sizes(), chosen.architecture))
        print(
            *(f"sha256 of {layer}: {digest}" for layer, digest in store.hashes().items()), sep="\n"
        )
    return 0
