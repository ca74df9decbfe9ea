"""A guard that ends what this process started when this process is gone, however it went.

A test run that is killed runs no `finally`. The guard waits at the other end of a pipe: the kernel
closes ours when we end, and the guard then ends the session that it watches.
"""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

_PROGRAM = """
trap '' INT TERM HUP
read -r _
kill -s TERM -- "-$1" 2>/dev/null
sleep 2
kill -s KILL -- "-$1" 2>/dev/null
[ -n "$2" ] && rm -rf -- "$2"
"""


class Guard:
    """Watches one session of processes, from its start until `release`."""

    def __init__(self, session: int, scratch: Path | None = None) -> None:
        """Begin to watch.

        Args:
            session: the id of the session's first process.
            scratch: a folder that goes with the session.
        """
        given, self._held = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _PROGRAM, "guard", str(session), str(scratch or "")],
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(given)

    def release(self) -> None:
        """Watch no more: the session has been ended in order."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._held)
