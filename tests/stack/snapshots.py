"""A program: a process that is snapshotted once and restored twice.

It does what Lambda's runtime client does with SnapStart, and forks where Lambda copies the machine.
A fork differs from a copy where libraries watch for forks: so `random` is put back to what it was
when the snapshot was taken. It answers the events in the file of its first argument in each
restored process, and writes into that of its second what was in the snapshot and came of each.
"""

import json
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

import snapshot_restore_py as hooks
from awslambdaric import lambda_runtime_hooks_runner as runner

from tandem.handlers import api
from tandem.tasks.retry import Retry

ASKED, TOLD = Path(sys.argv[1]), Path(sys.argv[2])
EVENTS = json.loads(ASKED.read_text())
RESTORES = 2


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "function"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def sockets() -> list[str]:
    """Return the connections that this process has open."""
    opened = [path for path in Path("/proc/self/fd").iterdir() if path.exists()]
    names = [str(path.readlink()) for path in opened]
    return [name for name in names if name.startswith("socket:")]


def restored(state: Any) -> dict[str, Any]:
    """Go on from the snapshot: renew, and answer the events."""
    random.setstate(state)
    runner.run_after_restore()
    jitter = [Retry().delay(1).total_seconds() for _ in range(3)]
    answers = [api.handler(event, Context()) for event in EVENTS]  # type: ignore[arg-type]
    return {
        "jitter": jitter,
        "bodies": [json.loads(answer["body"]) for answer in answers],
    }


def in_a_copy(state: Any) -> dict[str, Any]:
    """Return what a restored process made of the events."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.close(reader)
        with os.fdopen(writer, "w") as answer:
            json.dump(restored(state), answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        result: dict[str, Any] = json.load(answer)
    os.waitpid(child, 0)
    return result


registered = [len(hooks.get_before_snapshot()), len(hooks.get_after_restore())]
runner.run_before_snapshot()
state = random.getstate()
told = {"hooks": registered, "threads": threading.active_count(), "sockets": sockets()}
told["restored"] = [in_a_copy(state) for _ in range(RESTORES)]
TOLD.write_text(json.dumps(told))
