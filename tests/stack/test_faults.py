"""Nothing is lost, done twice or counted twice while AWS calls fail, by a short and fixed seed.

`make soak FAULTS=…` does the same with more tasks, with other seeds, and kills workers.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tandem_tools.bench.fault_audit import Seen, audit_faults, traces
from tandem_tools.bench.fault_plan import Fault, Plan
from tandem_tools.bench.fault_tasks import CYCLE
from tandem_tools.bench.faults import Scene, await_reports, scene, soak_through_faults
from tandem_tools.environment import with_tools
from tandem_tools.harness.stack import eventually
from tandem_tools.paths import PROJECT

SEED = 1
TASKS = CYCLE * 3 // 2
"""Two of each special kind."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def seen(prepared: Scene) -> Seen:
    (seen,) = soak_through_faults(prepared, [Plan(SEED)], tasks=TASKS, kills=0)
    return seen


def test_each_task_ends_once_although_aws_calls_fail(prepared: Scene, seen: Seen) -> None:
    found = audit_faults(prepared.app, [seen], reports=False)
    (figures,) = found.figures["runs"]

    assert not found.wrong, "\n".join(traces(found, seen.calls))
    assert all(figures[state] for state in ("succeeded", "failed", "cancelled"))
    assert figures["retried"] > 0
    assert figures["redriven"] > 0
    assert figures["told"] > 0
    assert figures["failed_online"] > 0
    assert figures["bookings"] > 0
    assert figures["booking_answers_lost"] > 0
    assert figures["unknown"] > 0
    assert figures["crashes"] > 0
    assert found.figures["broken"] == 0
    assert {fault for _, fault in seen.calls.injected()} >= {*Fault} - {
        Fault.PARTIAL,
        Fault.PARTIAL_AFTER,
        Fault.CONFLICT_AFTER,
    }


def test_the_audit_sees_what_is_lost_done_twice_or_told_wrongly(
    prepared: Scene, seen: Seen
) -> None:
    def wrong(changed: Seen) -> str:
        return "\n".join(audit_faults(prepared.app, [changed], reports=False).wrong)

    effects = seen.ground.ledger.read_text()
    again, *others = effects.splitlines(keepends=True)
    seen.ground.ledger.write_text(effects + again)
    assert "had 2 effects" in wrong(seen)
    seen.ground.ledger.write_text("".join(others))
    assert "succeeded with 0 effects" in wrong(seen)
    seen.ground.ledger.write_text(effects)

    (task_id,) = seen.told.accepted[CYCLE - 1]
    accepted = seen.told.accepted | {CYCLE - 1: {"lost"}}
    lost = wrong(replace(seen, told=replace(seen.told, accepted=accepted)))
    assert "lost was accepted, and is not stored" in lost
    assert f"{task_id} is a task that nobody was told of" in lost
    unlisted = replace(seen.told, listed=set())
    assert "operators see otherwise" in wrong(replace(seen, told=unlisted))
    forgotten = replace(seen.told, redriven={})
    assert "operators know of set()" in wrong(replace(seen, told=forgotten))
    missing = replace(seen.told, missing=[(task_id, "not-found")])
    assert f"{task_id} was accepted, and then answered 404" in wrong(replace(seen, told=missing))
    twice = replace(seen.bookings, made=seen.bookings.made * 2)
    assert "had 2 effects" in wrong(replace(seen, bookings=twice))
    never = wrong(replace(seen, bookings=replace(seen.bookings, made=[])))
    assert "the receiver has []" in never
    assert "the receiver was told []" in wrong(replace(seen, posts=[]))


def test_a_soak_that_is_interrupted_leaves_no_process(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tandem_tools",
        "bench",
        "faults",
        "--seeds",
        "1",
        "--tasks",
        f"{TASKS}",
    ]
    running = subprocess.Popen(  # noqa: S603 - a fixed command
        command,
        cwd=PROJECT,
        env=with_tools() | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: any(file.stat().st_size for file in effects_of(tmp_path)) or None, 120)
        children = children_of(running.pid)  # the emulator, and the guard over it
        assert any(map(children_of, children)), "no function runs"
        running.send_signal(signal.SIGTERM)  # Ctrl-C takes the same way
        assert running.wait(60) != 0
    finally:
        running.kill()
        running.wait()
    gone = time.monotonic() + 10
    while any(map(runs, children)) and time.monotonic() < gone:
        time.sleep(0.1)
    assert not any(map(runs, children))
    assert not list(tmp_path.glob("faults-*"))


def test_each_task_is_counted_once_although_aws_calls_failed(prepared: Scene, seen: Seen) -> None:
    await_reports(prepared.app)

    found = audit_faults(prepared.app, [seen])

    assert not found.wrong, "\n".join(traces(found, seen.calls))
    assert found.figures["reported"] == found.figures["stored"]


def effects_of(folder: Path) -> list[Path]:
    return list(folder.glob("faults-*/effects-*"))


def children_of(process_id: int) -> list[int]:
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607 - as every shell finds it
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split() for line in table.stdout.splitlines())
    return [int(pid) for pid, parent in rows if int(parent) == process_id]


def runs(emulator: int) -> bool:
    """Return whether anything of the emulator's session is there."""
    with suppress(ProcessLookupError):
        os.killpg(emulator, 0)
        return True
    return False
