"""Blame for a full disk: an attempt that filled it alone fails for good."""

import shutil
from tempfile import gettempdir

from tandem.tasks.retry import Permanent

_LEFT_OVER = 0.1
"""The share of a disk that may be in use while it counts as empty."""


class DiskTooSmall(Permanent):
    """The task needs more than the function's whole disk."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the task needs more than the {size_bytes} bytes of the function's disk")


def empty_disk_bytes() -> int:
    """Return the size of the disk of temporary files. 0 when something is left on it."""
    disk = shutil.disk_usage(gettempdir())
    return disk.total if disk.used <= disk.total * _LEFT_OVER else 0
