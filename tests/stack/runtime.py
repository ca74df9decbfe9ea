"""One function of the built artifact in Lambda's own Runtime Interface Emulator (RIE).

The RIE comes with the SAM CLI. It enforces the function's timeout and the size of its answer, and
says what could not be imported; unlike Lambda it enforces no memory.
"""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from tandem_tools.build.sam import machine_architecture
from tandem_tools.harness.function import Function
from tandem_tools.paths import SAM_BIN
from tandem_tools.ports import LOOPBACK, free_port
from tandem_tools.run.guard import Guard

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""The emulator cuts a longer event off without a word."""

READY_WITHIN_SECONDS = 10
STOP_WITHIN_SECONDS = 10


class InvocationFailed(Exception):
    """The function did not answer: it raised, ran out of time, or could not be loaded."""


STILL_RESETS = "ErrGateCanceled"
"""What the runtime interface emulator answers while it ends a process that timed out."""


class FunctionRuntime:
    """A function that can be invoked, for as long as the `with` block runs.

    Its process lives from the first invocation to the end of the block, like an execution
    environment of Lambda; after a timeout or a crash it is another.

    Example:
        function = Function(folder=..., handler="tandem.handlers.api.handler")
        with FunctionRuntime(function, tmp_path) as api:
            answer = api.invoke(event)
    """

    def __init__(self, function: Function, scratch: Path) -> None:
        self._function = function
        self._scratch = scratch
        self._port = free_port()
        self._log_file = scratch / "function.log"
        self._one_at_a_time = Lock()
        self._guard: Guard | None = None

    def __enter__(self) -> Self:
        """Start the emulator and return when it listens."""
        command = [
            str(_emulator()),
            "--log-level=error",
            f"--runtime-interface-emulator-address={LOOPBACK}:{self._port}",
            f"--runtime-api-address={LOOPBACK}:{free_port()}",
            *self._function.command(),
        ]
        with self._log_file.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - a fixed command
                command,
                cwd=self._function.folder,
                env=self._function.process_environment(self._scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(process)
        try:
            self._await_ready(process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the emulator, and with it the function."""
        self._stop()

    @property
    def log(self) -> str:
        """What the function wrote, and the emulator's lines about each invocation."""
        return self._log_file.read_text(errors="replace")

    def log_entries(self) -> list[dict[str, Any]]:
        """Return the function's own log lines, which are JSON."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def invoke(self, event: object) -> Any:
        """Invoke the function and return its answer; two at once would crash the emulator.

        Raises:
            InvocationFailed: it has none.
        """
        data = json.dumps(event).encode()
        if len(data) > MAX_EVENT_BYTES:
            message = f"an event has at most {MAX_EVENT_BYTES} bytes"
            raise ValueError(message)
        with self._one_at_a_time:
            answer = self._post(data)
            until = time.monotonic() + READY_WITHIN_SECONDS
            # After a timeout the emulator may still be at its reset: then nothing has run.
            while STILL_RESETS in answer and time.monotonic() < until:
                time.sleep(0.1)
                answer = self._post(data)
        try:
            document = json.loads(answer)
        except ValueError:
            raise InvocationFailed(answer) from None
        if isinstance(document, dict) and "errorType" in document:
            message = f"{document['errorType']}: {document.get('errorMessage')}"
            raise InvocationFailed(message)
        return document

    def _post(self, data: bytes) -> str:
        url = f"http://{LOOPBACK}:{self._port}/2015-03-31/functions/function/invocations"
        patience = self._function.timeout_seconds + READY_WITHIN_SECONDS
        try:
            with urllib.request.urlopen(url, data, patience) as response:
                content: bytes = response.read()
        except urllib.error.HTTPError as error:
            # A function that cannot be loaded, or an answer over 6 MB.
            with error:
                content = error.read()
        return content.decode()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            try:
                socket.create_connection((LOOPBACK, self._port), timeout=1).close()
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    message = f"the runtime interface emulator did not start:\n{self.log}"
                    raise RuntimeError(message) from None
                time.sleep(0.02)
            else:
                return

    def _stop(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.end(STOP_WITHIN_SECONDS)  # the function is in the emulator's session


def _emulator() -> Path:
    architecture = machine_architecture()
    pattern = f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{architecture}"
    found = next(SAM_BIN.parent.glob(pattern), None)
    if found is None:
        message = "the SAM CLI's environment has no runtime interface emulator: make setup"
        raise FileNotFoundError(message)
    return found
