"""Whether nothing was lost in a soak through faults, and nothing was done or counted twice."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fault_calls import Calls
from benchmarks.fault_owner import Told
from benchmarks.fault_tasks import DONE_WHEN_MENDED, NEVER_DONE, Ground, Kind, Planned
from benchmarks.soak_audit import Audit, audit_reports, stored_tasks
from tandem.domain.task import Mode, State, Task
from tests.stack.stack import DeployedApp

_TASK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_COUNTER = re.compile(r"^tandem_tasks_total\{(?P<labels>.*)\} (?P<value>\d+)", re.MULTILINE)
_OUTCOME = re.compile(r'outcome="(\w+)"')
_TRACED = 6
"""Wrong sentences that the trace of their task is shown for."""
CRASHED = "Crashed"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one attempt wrote when it had done its work."""

    number: int
    task_id: str
    attempt: int
    process_id: int


def read_effects(ground: Ground) -> list[Effect]:
    """Return what the attempts wrote so far, in its order."""
    lines = [line.split() for line in ground.ledger.read_text().splitlines()]
    return [Effect(int(one[0]), one[1], int(one[2]), int(one[3])) for one in lines]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run left: at the clients, in the ledger, at the receiver, and at the proxy."""

    plan: list[Planned]
    ground: Ground
    told: Told
    posts: list[tuple[str, str]]
    """The task and the type of event that each post to the receiver named."""
    calls: Calls
    kills: int


@dataclass(slots=True)
class Stored:
    """The table's tasks, by what the audit asks for."""

    tasks: dict[str, Task]
    again: dict[str, list[Task]] = field(default_factory=dict)
    """By the task that they do again."""

    @staticmethod
    def of(tasks: list[Task]) -> "Stored":
        """Return tasks by their ids, and by what they do again."""
        stored = Stored({task.task_id: task for task in tasks})
        for task in tasks:
            if task.retry_of is not None:
                stored.again.setdefault(task.retry_of, []).append(task)
        return stored


def audit_faults(app: DeployedApp, seen: Seen) -> Audit:
    """Compare the table with what clients, the ledger, the receiver and the reports say.

    Call it when all is quiet and the reports have counted the tasks. It reads the emulator
    directly, and the API without faults.
    """
    stored = Stored.of(stored_tasks(app))
    found = Audit(_figures(seen, stored))
    for planned in seen.plan:
        _audit_acceptance(found, planned, seen, stored)
    for task in stored.tasks.values():
        _audit_end(found, task, seen, stored)
    _audit_effects(found, seen, stored)
    _audit_posts(found, seen, stored)
    audit_reports(found, app, list(stored.tasks.values()))
    _audit_totals(found, app, stored)
    return found


def traces(found: Audit, calls: Calls) -> Iterator[str]:
    """Return the first of the wrong sentences, each with the calls that name its task."""
    for wrong in found.wrong[:_TRACED]:
        yield wrong
        for task_id in dict.fromkeys(_TASK.findall(wrong)):
            yield from (f"    {call}" for call in calls.of_task(task_id))
    yield from found.wrong[_TRACED:]


def _figures(seen: Seen, stored: Stored) -> dict[str, Any]:
    tasks = list(stored.tasks.values())
    states = Counter(task.state for task in tasks)
    injected = seen.calls.injected()
    return {
        "tasks": len(seen.plan),
        "stored": len(tasks),
        **{state.value: states[state] for state in State if state.final},
        "attempts": sum(task.attempts for task in tasks),
        "effects": len(read_effects(seen.ground)),
        "kills": seen.kills + sum(planned.kind is Kind.EXITS for planned in seen.plan),
        "duplicates": sum(planned.kind is Kind.DUPLICATED for planned in seen.plan),
        "sweeps": sum(task.sweeps for task in tasks),
        "retried": sum(bool(task.retry_of and not task.requested_by) for task in tasks),
        "redriven": sum(task.requested_by is not None for task in tasks),
        "told": len({task_id for task_id, _ in seen.posts}),
        "calls": len(seen.calls.made),
        "broken": seen.calls.broken,
        "faults": sum(injected.values()),
        "injected": _by_operation(injected),
    }


def _by_operation(injected: Counter[tuple[str, Any]]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for (operation, fault), times in sorted(injected.items()):
        table.setdefault(operation, {})[fault] = times
    return table


def _audit_acceptance(found: Audit, planned: Planned, seen: Seen, stored: Stored) -> None:
    """Require one task for each number, and that it is there."""
    name = f"number {planned.number} ({planned.kind})"
    ids = seen.told.accepted.get(planned.number, set())
    found.require(len(ids) == 1, f"{name}: its key gave {len(ids)} tasks: {sorted(ids)}")
    for task_id in ids - stored.tasks.keys():
        found.wrong.append(f"{name}: {task_id} was accepted, and is not stored")
    for task_id in ids & stored.tasks.keys():
        again = stored.again.get(task_id, [])
        retried = {task.task_id for task in again if not task.requested_by}
        asked = seen.told.retried.get(task_id, set())
        found.require(
            retried == asked and len(retried) == (planned.kind is Kind.RETRIED),
            f"{name}: {task_id} was done again as {sorted(retried)}, its owner knows of "
            f"{sorted(asked)}",
        )


def _audit_end(found: Audit, task: Task, seen: Seen, stored: Stored) -> None:
    """Require that a task is final, known to somebody, and ended as was planned."""
    planned = _planned_of(task, seen, stored)
    name = f"{task.task_id} ({planned.kind if planned else 'unknown'})"
    found.require(planned is not None, f"{name} is a task that nobody was told of")
    found.require(task.state.final, f"{name} is {task.state} for good")
    found.require(len(task.history) == task.attempts, f"{name}: {len(task.history)} in history")
    again = stored.again.get(task.task_id, [])
    redriven = [one.task_id for one in again if one.requested_by]
    found.require(len(redriven) <= 1, f"{name} was redriven as {redriven}")
    if planned is None:
        return
    if task.state is State.FAILED:
        _audit_failure(found, task, planned, seen, stored, name)
    elif task.state is State.CANCELLED:
        wanted = planned.kind in {Kind.CANCELLED, Kind.STOPPED}
        found.require(wanted, f"{name} was cancelled by nobody")
    else:
        never = planned.kind in NEVER_DONE or planned.kind is Kind.CANCELLED
        found.require(not never, f"{name} succeeded, and never can")
    early = seen.told.run_after.get(planned.number)
    if early is not None and task.retry_of is None and task.started_at is not None:
        found.require(task.started_at >= early, f"{name} ran {early - task.started_at} early")


def _audit_failure(  # noqa: PLR0917 - what is looked at is all of it
    found: Audit, task: Task, planned: Planned, seen: Seen, stored: Stored, name: str
) -> None:
    """Require that a failure was planned or a crash, and that it is listed or was done again."""
    crashed = task.error is not None and task.error.type == CRASHED
    foreseen = planned.kind in DONE_WHEN_MENDED if task.retry_of is None else False
    found.require(crashed or foreseen or planned.kind in NEVER_DONE, f"{name} failed: {task.error}")
    if task.mode is Mode.ONLINE:
        return  # its caller had the failure as the answer
    known = task.task_id in seen.told.listed or task.task_id in stored.again
    found.require(known, f"{name} failed, is not listed, and was not done again")


def _planned_of(task: Task, seen: Seen, stored: Stored) -> Planned | None:
    """Return what was planned for a task, or for the one that it does again."""
    first = task
    while first.retry_of is not None and first.retry_of in stored.tasks:
        first = stored.tasks[first.retry_of]
    for planned in seen.plan:
        if first.task_id in seen.told.accepted.get(planned.number, ()):
            return planned
    return None


def _audit_effects(found: Audit, seen: Seen, stored: Stored) -> None:
    """Require one effect of each success, none twice, and none of what says that it had none."""
    effects = Counter((one.task_id, one.attempt) for one in read_effects(seen.ground))
    for (task_id, attempt), times in effects.items():
        found.require(times == 1, f"attempt {attempt} of {task_id} had {times} effects")
        task = stored.tasks.get(task_id)
        known = task is not None and attempt <= task.attempts
        found.require(known, f"attempt {attempt} of {task_id} had an effect, and is not recorded")
    for task in stored.tasks.values():
        for attempt, record in enumerate(task.history, 1):
            times = effects[task.task_id, attempt]
            succeeded = task.state is State.SUCCEEDED and attempt == task.attempts
            name = f"attempt {attempt} of {task.task_id}"
            if succeeded:
                found.require(times == 1, f"{name} succeeded with {times} effects")
            elif record.ended_at is not None and task.state is not State.CANCELLED:
                found.require(not times, f"{name} ended with {record.error}, and had an effect")


def _audit_posts(found: Audit, seen: Seen, stored: Stored) -> None:
    """Require that the receiver was told each end that it was to be told, and no other."""
    posts: dict[str, set[str]] = {}
    for task_id, kind in seen.posts:
        posts.setdefault(task_id, set()).add(kind)
    for task in stored.tasks.values():
        said = posts.pop(task.task_id, set())
        wanted = {f"task.{task.state}"} if task.callback else set()
        found.require(
            said == wanted, f"the receiver was told {sorted(said)} of {task.task_id}, {task.state}"
        )
    found.require(not posts, f"the receiver was told of unknown tasks: {sorted(posts)}")


def _audit_totals(found: Audit, app: DeployedApp, stored: Stored) -> None:
    """Require that the exposition's totals equal the table, by outcome."""
    exposed: Counter[str] = Counter()
    for sample in _COUNTER.finditer(app.operator.get("/metrics").raise_for_status().text):
        (outcome,) = _OUTCOME.findall(sample["labels"])
        exposed[outcome] += int(sample["value"])
    states = Counter(task.state.value for task in stored.tasks.values() if task.state.final)
    found.require(exposed == states, f"/metrics counts {exposed}, the table {states}")
