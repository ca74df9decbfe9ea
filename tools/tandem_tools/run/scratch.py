"""The emulator's scratch folder: in memory, where there is plenty.

An environment is thousands of files, made when a function starts and removed when its code changes:
on a busy disk the removal alone takes seconds, and the emulator does nothing else meanwhile.
"""

import re
import shutil
from pathlib import Path
from tempfile import mkdtemp

# mkdtemp makes a folder of our own there.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # nosec B108
MEMINFO = Path("/proc/meminfo")
ENOUGH_BYTES = 6 * 2**30
"""A loaded stack has about ten environments, each with the code twice (zipped and not)."""


def make_scratch(
    folder: Path, *, shared_memory: Path = SHARED_MEMORY, meminfo: Path = MEMINFO
) -> Path:
    """Return a new, empty folder, `tmp` in the given one or what that is then a link to.

    Args:
        folder: where it is, or is linked from.
        shared_memory: a file system in memory.
        meminfo: where Linux says how much memory there is.
    """
    remove_scratch(folder)
    link = folder / "tmp"
    if _available_bytes(shared_memory, meminfo) < ENOUGH_BYTES:
        link.mkdir(parents=True)
        return link
    made = Path(mkdtemp(prefix="tandem-", dir=shared_memory))
    link.symlink_to(made)
    return made


def remove_scratch(folder: Path) -> None:
    """Remove what `make_scratch` made, if it did."""
    link = folder / "tmp"
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()
    shutil.rmtree(link, ignore_errors=True)


def environments_of(folder: Path, function_name: str) -> set[Path]:
    """Return the folders of a function's environments: each is there while its process is."""
    return set((folder / "tmp").glob(f"ministack-lambda-{function_name}-*"))


def _available_bytes(shared_memory: Path, meminfo: Path) -> int:
    """Return how many bytes files there may take. 0 where there is no such file system."""
    try:
        room = shutil.disk_usage(shared_memory).free
        found = re.search(r"^MemAvailable: +(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return min(room, int(found[1]) * 1024) if found else 0
