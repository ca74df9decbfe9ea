"""Trees of files: walked, copied and hashed the same way on every machine."""

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

LINKED_FROM_BYTES = 1_000_000
"""Larger files are hard links to the store's: four functions share DuckDB's 60 MB. Smaller ones are
copies, which a tool may edit in place."""


def machine_architecture() -> str:
    """Return this machine's processor, in Lambda's words."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def files(tree: Path) -> Iterator[Path]:
    """Return all files of a tree, in an order that depends on their names alone."""
    yield from sorted(path for path in tree.rglob("*") if path.is_file())


def tree_hash(tree: Path) -> str:
    """Return a hash of all names and contents of a tree."""
    digest = hashlib.sha256()
    for path in files(tree):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(tree).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def copy_source(source: Path, tree: Path, left_out: frozenset[Path]) -> None:
    """Copy what a person wrote: no `__pycache__`, no part that is left out, modes for any user.

    Nothing hidden either: `.env` has secrets, and the rest is what editors and tools keep.
    """
    for path in files(source):
        name = path.relative_to(source)
        hidden = any(part.startswith(".") for part in name.parts)
        if hidden or "__pycache__" in name.parts or left_out & {name, *name.parents}:
            continue
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o644)


def copy_tree(source: Path, tree: Path) -> None:
    """Copy a finished tree. Large files are linked where the file system can."""
    for path in files(source):
        target = tree / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.stat().st_size < LINKED_FROM_BYTES or not _linked(path, target):
            shutil.copy(path, target)


def _linked(path: Path, target: Path) -> bool:
    try:
        os.link(path, target)
    except OSError:  # another file system, or one without links
        return False
    return True
