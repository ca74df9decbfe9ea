"""What a process started ends with it, also when it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tandem_tools.environment import with_tools

STARTS = """
import subprocess, sys
from pathlib import Path
from tandem_tools.run.guard import Guard
running = subprocess.Popen(["/bin/sleep", "300"], start_new_session=True)
guard = Guard(running.pid, Path(sys.argv[1]))
if len(sys.argv) > 2:
    guard.release()
print(running.pid, flush=True)
if len(sys.argv) <= 2:
    running.wait()
"""


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(scratch: Path, *released: str) -> tuple[subprocess.Popen[str], int]:
    scratch.mkdir()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", STARTS, str(scratch), *released],
        env=with_tools(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        return process, int(process.stdout.readline())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks at Linux's /proc")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_session_ends_with_the_process_that_started_it(tmp_path: Path, sent: int) -> None:
    process, pid = started(tmp_path / "scratch")
    assert alive(pid)
    process.send_signal(sent)
    process.wait()
    until = time.monotonic() + 10
    while (alive(pid) or (tmp_path / "scratch").exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)
    assert not (tmp_path / "scratch").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks at Linux's /proc")
def test_what_is_released_goes_on(tmp_path: Path) -> None:
    process, pid = started(tmp_path / "scratch", "released")
    process.wait()
    time.sleep(0.5)
    assert alive(pid)
    assert (tmp_path / "scratch").exists()
    os.kill(pid, signal.SIGTERM)
