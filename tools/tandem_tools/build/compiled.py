"""Modules are compiled ahead, and looked at before anyone trusts them.

Lambda's file system is read only, so a module without a `.pyc` is compiled again on every cold
start. The compiled files carry the hash of no source (`unchecked-hash`), because time stamps do
not survive the zip file.
"""

import compileall
import importlib.util
import os
import py_compile
from pathlib import Path

from tandem_tools.build.tree import files
from tandem_tools.errors import ToolError

LAMBDA_ROOT = "/var/task"
UNCHECKED_HASH = 0b01
"""The flags of a `.pyc` with a hash that nobody checks (PEP 552)."""


def compile_ahead(tree: Path) -> None:
    """Compile every module of a tree, with the paths it will have on Lambda."""
    compileall.compile_dir(
        tree,
        quiet=2,
        force=True,
        optimize=0,
        workers=os.cpu_count() or 1,
        stripdir=str(tree),
        prependdir=LAMBDA_ROOT,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def require_compiled(tree: Path) -> int:
    """Refuse a tree with a module that Lambda would compile again.

    Returns:
        How many modules it has.

    Raises:
        ToolError: which module it is.
    """
    sources = [path for path in files(tree) if path.suffix == ".py"]
    if wrong := [path for path in sources if not is_compiled(path)]:
        raise ToolError(
            f"{tree.name} has {len(wrong)} modules without a .pyc for Lambda, as {wrong[0]}.",
            "Look for a syntax that Python 3.13 refuses in that module.",
        )
    return len(sources)


def is_compiled(source: Path) -> bool:
    """Tell whether a module has a `.pyc` that this Python's version takes without a question."""
    compiled = Path(importlib.util.cache_from_source(str(source), optimization=""))
    if not compiled.is_file():
        return False
    with compiled.open("rb") as file:
        magic, flags = file.read(4), file.read(4)
    return magic == importlib.util.MAGIC_NUMBER and flags == UNCHECKED_HASH.to_bytes(4, "little")
