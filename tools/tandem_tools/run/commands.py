"""Commands of the stack on this machine."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

import httpx2

from tandem_tools.build import sam as artifact
from tandem_tools.deploy.environments import WORKER_TIMEOUT, longest_worker_seconds
from tandem_tools.deploy.parameters import defaults, pairs, require_right
from tandem_tools.errors import ToolError
from tandem_tools.paths import CHECKOUT, COMMAND, STACK_FILE, STATE
from tandem_tools.ports import require_free
from tandem_tools.run import sample
from tandem_tools.run.emulator import DRAINING, end_session
from tandem_tools.run.logs import FunctionLogs
from tandem_tools.run.reload import HotReload, follow_saves
from tandem_tools.run.stack import (
    LOCAL_PARAMETERS,
    OF_THIS_MACHINE,
    LocalStack,
    StackDescription,
    remove_traces,
)
from tandem_tools.run.tokens import request_token
from tandem_tools.settings import dotenv
from tandem_tools.settings.local import EnvFile, missing
from tandem_tools.template import load_template

STOPPED_WITHIN_SECONDS = 20
LOGS_EVERY_SECONDS = 1


def up(port: int, stack_port: int) -> None:
    """Bring the stack up, try it, and follow its logs until interrupted."""
    said = pairs(os.environ.get("PARAMETERS", ""))
    parameters = _parameters(said)
    if _is_running():
        raise ToolError(
            "A stack of this checkout is running already.",
            "Use it (make token), or stop it first: make down",
        )
    require_free(port, "PORT")
    require_free(stack_port, "STACK_PORT")
    began = time.monotonic()
    settings = dotenv.read()
    for line in missing(settings):
        say(began, line)
    say(began, "Building for this machine (10 to 40 s when something has changed) …")
    changed = artifact.build(artifact.machine_architecture())
    say(began, "Built." if changed else "Unchanged since the last build.")
    say(began, "Starting the emulator and deploying template.yaml (15 s) …")
    with LocalStack(
        STATE,
        port=port,
        stack_port=stack_port,
        parameters=parameters,
        settings=settings,
        listens=True,
    ) as stack:
        say(began, "Deployed.")
        logs = FunctionLogs(stack.aws, stack.description)
        try:
            task = _try_out(began, stack.description)
        except ToolError as error:
            print("\n".join(logs.read()))
            if said:
                advice = f"{error.advice} Or PARAMETERS is why: two tasks are tried first."
                raise ToolError(error.problem, advice) from None
            raise
        _introduce(stack.description, task)
        env_file = EnvFile(stack.aws, stack.description.settings_secret, settings)
        with _reloading(stack):
            while True:
                for line in (*env_file.follow(), *logs.read()):
                    print(line, flush=True)
                time.sleep(LOGS_EVERY_SECONDS)


def _parameters(said: Mapping[str, str]) -> dict[str, str]:
    """Return values for the template's parameters: what is said, and else the longest worker's.

    Raises:
        ToolError: `make run` says one of them itself, or it cannot have that value.
    """
    if own := sorted(said.keys() & OF_THIS_MACHINE):
        raise ToolError(f"make run itself says {', '.join(own)}.", "Take it out of PARAMETERS.")
    template = load_template()
    told = longest_worker() | dict(said)
    values = defaults(template) | LOCAL_PARAMETERS | told
    require_right(template, values, "Put it right in PARAMETERS.")
    return told


def longest_worker() -> dict[str, str]:
    """Return the parameters that give the worker of this machine the time that any other has."""
    seconds = round(longest_worker_seconds())
    return {WORKER_TIMEOUT: str(seconds), "VisibilityTimeoutSeconds": str(6 * seconds)}


def token(*, operator: bool) -> None:
    """Print a new access token of the running stack, and nothing else."""
    stack = running()
    client_id = stack.operator_client_id if operator else stack.client_id
    secret = stack.operator_client_secret if operator else stack.client_secret
    try:
        print(request_token(stack.token_url, client_id, secret).value)
    except httpx2.HTTPError as error:
        raise ToolError(
            f"The stack gives no token: {error}.",
            "Start it again: make down, then make run",
        ) from None


def down() -> None:
    """Stop the running stack, or what is left of it. Fine when there is none."""
    if not STACK_FILE.exists():
        print("No stack is running.")
        return
    pids = running().pids
    if _is_ours(pids["run"]):
        os.kill(pids["run"], signal.SIGTERM)
        _wait_for_end(pids["run"])
    if _is_ours(pids["emulator"]):  # only when what ran it was killed
        end_session(pids["emulator"])
        _wait_for_end(pids["emulator"])
    remove_traces(STATE)
    print("Stopped.")


def say(began: float, text: str) -> None:
    """Print a step with the seconds since the command began."""
    print(f"{time.monotonic() - began:5.1f} s  {text}", flush=True)


def _try_out(began: float, stack: StackDescription) -> sample.Json:
    """Run a task on each path, and return one to try by hand."""
    bearer = {"Authorization": f"Bearer {stack.token}"}
    with httpx2.Client(base_url=stack.url, headers=bearer, timeout=60) as api:
        say(began, f"Online:  echo answered in the response: {json.dumps(sample.run_online(api))}")
        say(
            began, f"Offline: echo queued, run by the worker: {json.dumps(sample.run_offline(api))}"
        )
        return sample.to_try(api) if CHECKOUT is None else sample.ECHO


@contextmanager
def _reloading(stack: LocalStack) -> Iterator[None]:
    """Bring what is saved into the functions, beside the block."""

    def say(text: str) -> None:
        print(f"{datetime.now().astimezone():%H:%M:%S} reload {text}", flush=True)

    def make() -> HotReload:
        return HotReload(stack.aws, stack.description.functions, STATE)

    stop = Event()
    thread = Thread(target=follow_saves, args=(make, say, stop), name="reload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _introduce(stack: StackDescription, task: sample.Json) -> None:
    body = json.dumps(task, separators=(",", ":")).replace("'", r"\u0027")
    print(
        f"""
URL    {stack.url}
Docs   {stack.url}/docs (Authorize takes the client id and secret of .local/stack.json)
Token  export TOKEN=$(make -s token)    (for an hour)

curl {stack.url}/health
curl -H "Authorization: Bearer $TOKEN" {stack.url}/processors
curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{body}' {stack.url}/process-online

Callbacks to this machine: {COMMAND} listen

What you save under functions/, and in .env, is used in seconds. Ctrl-C stops everything, and
nothing is kept: tasks, files and clients are in memory. .local/ holds stack.json and the emulator's
log.
What follows are the functions' logs.
""",
        flush=True,
    )


def running() -> StackDescription:
    """Return the stack that `make run` started here.

    Raises:
        ToolError: there is none.
    """
    if not STACK_FILE.exists():
        raise ToolError("No stack is running.", "Start one: make run")
    return StackDescription.read(STACK_FILE)


def _is_running() -> bool:
    return STACK_FILE.exists() and any(map(_is_ours, running().pids.values()))


def _is_ours(pid: int) -> bool:
    """Whether the process with this id is one of ours, and not a later one with the same id."""
    line = _command_line(pid)
    return "-m tandem_tools " in line or str(DRAINING) in line


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + STOPPED_WITHIN_SECONDS
    while _is_ours(pid):
        if time.monotonic() > deadline:
            raise ToolError(f"Process {pid} does not stop.", f"End it: kill -9 {pid}")
        time.sleep(0.1)
