"""What a process started ends with it, also when it is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tandem_tools.environment import with_tools
from tandem_tools.run.guard import Guard

STARTS = """
import subprocess, sys
from pathlib import Path
from tandem_tools.run.guard import Guard
running = subprocess.Popen(["/bin/sleep", "300"], start_new_session=True)
guard = Guard(running, Path(sys.argv[1]))
print(running.pid, flush=True)
running.wait()
"""


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(scratch: Path) -> tuple[subprocess.Popen[str], int]:
    scratch.mkdir()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", STARTS, str(scratch)],
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
@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["in order", "that hears no SIGTERM"])
def test_a_session_is_ended_whole_and_its_scratch_is_left_to_its_owner(
    tmp_path: Path, trap: str
) -> None:
    program = f"{trap}sleep 300 & echo $!; wait"
    leader = subprocess.Popen(  # noqa: S603 - our own program
        ["/bin/sh", "-c", program], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    with leader.stdout:
        pid = int(leader.stdout.readline())
    guard = Guard(leader, tmp_path)
    assert alive(pid)
    guard.end(0.5)
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert leader.returncode is not None
    assert not alive(pid)
    assert tmp_path.exists()
