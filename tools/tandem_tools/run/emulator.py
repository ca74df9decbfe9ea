"""MiniStack as a child process, on loopback and with nothing of this machine's AWS settings."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx2

from tandem_tools.environment import REGION, scrubbed
from tandem_tools.errors import ToolError
from tandem_tools.paths import MINISTACK_BIN, program
from tandem_tools.ports import LOOPBACK
from tandem_tools.run.guard import Guard
from tandem_tools.run.scratch import make_scratch, remove_scratch

DRAINING = Path(__file__).with_name("draining.py")
"""What runs MiniStack."""
READY_WITHIN_SECONDS = 30
STOP_WITHIN_SECONDS = 10


class Emulator:
    """One MiniStack, with its log and its temporary files under a folder of its own."""

    def __init__(self, folder: Path, port: int, *, functions_endpoint_url: str = "") -> None:
        """Prepare an emulator. Nothing runs until `start`.

        Args:
            folder: where its state and log go.
            port: where it answers.
            functions_endpoint_url: where functions call AWS. By default the emulator itself.
        """
        self.port = port
        self.endpoint_url = f"http://{LOOPBACK}:{port}"
        self.log_file = folder / "ministack.log"
        self._folder = folder
        self._functions_endpoint_url = functions_endpoint_url
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    @property
    def pid(self) -> int:
        """The process id of the running emulator."""
        if self._process is None:
            message = "the emulator is not running"
            raise RuntimeError(message)
        return self._process.pid

    def start(self) -> None:
        """Start the emulator and return when it answers.

        Raises:
            ToolError: it ended, or did not answer in time.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        scratch = make_scratch(self._folder)
        with self.log_file.open("wb") as log:
            # A session of its own: Ctrl-C reaches us only, and we stop things in order.
            self._process = subprocess.Popen(
                [program(MINISTACK_BIN / "python"), "-P", str(DRAINING)],
                env=self._environment(scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(self._process, scratch)
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ToolError(
                    f"MiniStack did not start:\n{self._log_tail()}",
                    f"Its whole log is {self.log_file}; another port: make run STACK_PORT=…",
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the emulator and with it the function processes that it started."""
        guard, self._guard, self._process = self._guard, None, None
        if guard is not None:
            guard.end(STOP_WITHIN_SECONDS)
        remove_scratch(self._folder)

    def _environment(self, scratch: Path) -> dict[str, str]:
        path = os.pathsep.join([str(MINISTACK_BIN), os.environ.get("PATH", os.defpath)])
        # The functions inherit it; without it, MiniStack gives them its own address.
        redirected = {"AWS_ENDPOINT_URL": self._functions_endpoint_url}
        return scrubbed(
            {
                **(redirected if self._functions_endpoint_url else {}),
                "PATH": path,
                "TMPDIR": str(scratch),
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_REGION": REGION,
                "BIND_HOST": LOOPBACK,
                "IOT_MTLS_ENABLED": "0",  # its listener would be open on every interface
                "AUTH": "true",  # evaluate IAM: a permission that is missing shows here
            },
        )

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.endpoint_url}/_ministack/health", timeout=1).is_success
        except httpx2.TransportError:
            return False

    def _log_tail(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def end_session(emulator_pid: int) -> None:
    """End what an emulator started, and the emulator: all of its session, and nothing else's."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(emulator_pid, signal.SIGTERM)
