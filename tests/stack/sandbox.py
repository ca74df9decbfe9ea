"""A function in a sandbox as Lambda's: what it may write, how much, and as whom.

Its root is read-only, `/tmp` has the size of its template, there is no shared memory, it runs as an
unprivileged user with 1,024 descriptors, and its memory has a bound where the machine has cgroups.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

Linux does that for root, and for others in a user namespace of their own where it is allowed.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from tandem_tools.harness.function import Function

DESCRIPTORS = 1024
_USER, _GROUP = 993, 990
"""As in Lambda's images; no user of this machine."""

_NAMESPACE = ("unshare", "--mount", "--propagation", "private")

_ENTER = r"""
set -eu
python=$1 task=$2 disk=$3 memory=$4
shift 4
if [ -n "$memory" ]; then echo $$ > "$memory/cgroup.procs"; fi
mount -t tmpfs -o size=256m,mode=755 tmpfs /mnt
mkdir /mnt/python /mnt/task /mnt/runtime
mount --bind "$python" /mnt/python
mount --bind "$task" /mnt/task
cp -rL "$PYTHONPATH/." /mnt/runtime/
mount -t tmpfs -o "size=${disk}m,mode=1777" tmpfs /tmp
mount -t tmpfs -o ro,size=4k,mode=555 tmpfs /dev/shm
while read -r _ place _; do
    case $place in
        /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /tmp) ;;
        *) mount -o remount,bind,ro "$place" 2> /dev/null || true ;;
    esac
done < /proc/self/mounts
cd /mnt/task
ulimit -n 1024
unset TMPDIR
export PYTHONPATH=/mnt/runtime LAMBDA_TASK_ROOT=/mnt/task LD_LIBRARY_PATH=/mnt/python/lib
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxedFunction(Function):
    """A function whose process enters the sandbox first."""

    disk_mb: int
    memory_group: Path | None = None
    """A cgroup with the function's memory; None where the machine has none."""

    def command(self) -> list[str]:
        """Return what enters the sandbox, and starts the runtime client there."""
        python, *arguments = super(SandboxedFunction, self).command()
        inside = ["/mnt/python/bin/" + Path(python).name, *arguments]
        return [
            *_namespace(),
            *("sh", "-c", _ENTER, "sandbox", sys.base_prefix, str(self.folder)),
            *(str(self.disk_mb), str(self.memory_group or "")),
            *_as_nobody(),
            *inside,
        ]


def sandboxed(
    function: Function, *, disk_mb: int, memory_group: Path | None = None
) -> SandboxedFunction:
    """Return a function in a sandbox.

    Args:
        function: as its template declares it.
        disk_mb: the size of its `/tmp`.
        memory_group: what bounds its memory.
    """
    said = {one.name: getattr(function, one.name) for one in fields(Function)}
    return SandboxedFunction(**said, disk_mb=disk_mb, memory_group=memory_group)


def refusal() -> str:
    """Return why this machine makes no sandbox; nothing where it does."""
    if sys.platform != "linux":
        return "only Linux has namespaces"
    tried = subprocess.run(  # noqa: S603 - a fixed command
        [*_namespace(), "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip() if tried.returncode else ""


@contextmanager
def memory_group(name: str, megabytes: int) -> Iterator[Path | None]:
    """Make a cgroup with so much memory for the block; None where the machine lets nobody.

    Args:
        name: unique on this machine.
        megabytes: what its processes may take together, without swapping.
    """
    for parent, bounds in (
        (Path("/sys/fs/cgroup/memory"), ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")),
        (Path("/sys/fs/cgroup"), ("memory.max", "memory.swap.max")),
    ):
        folder = parent / name
        try:
            folder.mkdir()
            (folder / bounds[0]).write_text(str(megabytes << 20))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        swapped = "0" if bounds[1] == "memory.swap.max" else str(megabytes << 20)
        with contextlib.suppress(OSError):  # a kernel may count no swap
            (folder / bounds[1]).write_text(swapped)
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):  # its last process may be on its way out
                folder.rmdir()
        return
    yield None


def _namespace() -> tuple[str, ...]:
    return _NAMESPACE if os.getuid() == 0 else (*_NAMESPACE, "--map-root-user")


def _as_nobody() -> tuple[str, ...]:
    """Return what gives up the privileges that entering the sandbox took."""
    drop = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
    if os.getuid():
        return drop  # root of its namespace alone, without its capabilities
    return (*drop, f"--reuid={_USER}", f"--regid={_GROUP}", "--clear-groups")
