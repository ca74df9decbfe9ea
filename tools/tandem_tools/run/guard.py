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
    """Watches a process that leads a session of its own, and ends that session."""

    def __init__(self, process: "subprocess.Popen[bytes]", scratch: Path | None = None) -> None:
        """Begin to watch.

        Args:
            process: started with `start_new_session`.
            scratch: a folder that goes with the session when this process is gone.
        """
        self._watched = process
        given, self._held = os.pipe()
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _PROGRAM, "guard", str(process.pid), str(scratch or "")],
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(given)

    def end(self, within_seconds: float) -> None:
        """End the process, in order if it does so in time, then what is left of its session."""
        self._watched.terminate()
        try:
            self._watched.wait(within_seconds)
        except subprocess.TimeoutExpired:
            self._watched.kill()
            self._watched.wait()
        for session in (self._watched.pid, self._guard.pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
        self._guard.wait()
        os.close(self._held)
