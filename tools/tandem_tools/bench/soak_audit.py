"""The audit of a soak: nothing lost, nothing twice."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem.aws.readers import from_item
from tandem.aws.sqs_dead_letters import SQSDeadLetterBox
from tandem.reports.window import WINDOW, Window
from tandem.tasks.task import State, Task
from tandem_tools.bench.soak_plan import Planned
from tandem_tools.harness.prometheus import Kind, Prometheus
from tandem_tools.harness.stack import DeployedApp

_COUNTERS: dict[str, Callable[[Task], int]] = {
    "tandem_tasks_total": lambda _: 1,
    "tandem_task_attempts_total": lambda task: task.attempts,
    "tandem_task_retries_total": lambda task: max(task.attempts - 1 - task.uncounted, 0),
    "tandem_task_sweeps_total": lambda task: task.sweeps,
    "tandem_task_run_seconds_count": lambda task: task.attempt_started_at is not None,
}
"""What of each finished task Prometheus must have counted."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one attempt wrote when it had done its work."""

    number: int
    attempt: int
    process_id: int


@dataclass(slots=True)
class Soaked:
    """What was asked for, and what was done to it."""

    tasks: int
    ledger: Path
    planned: dict[str, Planned] = field(default_factory=dict)
    """By the id of the task."""
    kills: int = 0

    def effects(self) -> list[Effect]:
        """Return what the attempts wrote so far, in its order."""
        lines = self.ledger.read_text().splitlines()
        return [Effect(*(int(part) for part in line.split())) for line in lines]


@dataclass(slots=True)
class Audit:
    """What was found."""

    figures: dict[str, Any]
    wrong: list[str] = field(default_factory=list)
    """What must not be, one sentence each."""

    def require(self, true: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Note what is wrong unless something is true."""
        if not true:
            self.wrong.append(otherwise)


def audit(app: DeployedApp, soaked: Soaked, asked: Prometheus | None) -> Audit:
    """Compare the store, the ledger of effects, the dead letters, the reports and Prometheus.

    Call it when all tasks are final, the queue is empty, and the reports have counted them.
    """
    everything = stored_tasks(app)
    tasks = {task.task_id: task for task in everything if task.task_id in soaked.planned}
    found = Audit(_figures(soaked, list(tasks.values())))
    found.require(
        len(soaked.planned) == soaked.tasks == len(tasks),
        f"{soaked.tasks} submitted, {len(soaked.planned)} accepted, {len(tasks)} stored",
    )
    effects = Counter((effect.number, effect.attempt) for effect in soaked.effects())
    for again, times in effects.items():
        found.require(times == 1, f"attempt {again[1]} of number {again[0]} ran {times} times")
    for task_id, task in tasks.items():
        _audit_end(found, soaked.planned[task_id], task)
        _audit_effects(found, soaked.planned[task_id], task, effects)
    _audit_letters(found, app, list(tasks.values()))
    audit_reports(found, app, everything)
    _audit_restarts(found, app)
    if asked is not None:
        _audit_prometheus(found, asked, everything)
    return found


def closed_through(app: DeployedApp) -> float:
    """Return the end of the last closed window as a time stamp. 0 before there is one."""
    latest = app.operator.get("/reports/latest")
    if latest.status_code == 404:
        return 0.0
    start = datetime.fromisoformat(latest.raise_for_status().json()["window"])
    return (start + WINDOW).timestamp()


def _figures(soaked: Soaked, tasks: list[Task]) -> dict[str, Any]:
    states = Counter(task.state for task in tasks)
    began = min(task.created_at for task in tasks)
    ended = sorted(task.finished_at for task in tasks if task.finished_at is not None)
    most = int(len(ended) * 0.95)
    exits = sum(planned.exits for planned in soaked.planned.values())
    return {
        "tasks": soaked.tasks,
        **{state.value: states[state] for state in State if state.final},
        "attempts": sum(task.attempts for task in tasks),
        "attempts_lost": sum(
            attempt.ended_at is None for task in tasks for attempt in task.history
        ),
        "kills": soaked.kills + exits,
        "duplicates": sum(planned.duplicated for planned in soaked.planned.values()),
        "sweeps": sum(task.sweeps for task in tasks),
        "tasks_per_second": round(most / (ended[most - 1] - began).total_seconds(), 1),
        "seconds_until_final": round((ended[-1] - began).total_seconds(), 1),
    }


def _audit_end(found: Audit, planned: Planned, task: Task) -> None:
    """Require the one end that was planned: a kill may use up a task's attempts, nothing else."""
    name = f"number {planned.number} ({task.task_id})"
    found.require(task.state.final, f"{name} is {task.state}")
    found.require(len(task.history) == task.attempts, f"{name}: {len(task.history)} in history")
    crashed = task.error is not None and task.error.type == "Crashed"
    if task.state is State.FAILED and not crashed:
        found.require(planned.permanent, f"{name} failed: {task.error}")
    if task.state is State.CANCELLED:
        found.require(planned.cancelled, f"{name} was cancelled by nobody")
    if planned.permanent:
        found.require(task.state is State.FAILED, f"{name} {task.state}, and never can")
    if planned.exits:
        found.require(task.attempts > 1, f"{name} outlived its worker")


def _audit_effects(
    found: Audit, planned: Planned, task: Task, effects: Counter[tuple[int, int]]
) -> None:
    """Require the effect of the attempt that succeeded. Others may have one only if they died."""
    for attempt, record in enumerate(task.history, 1):
        succeeded = task.state is State.SUCCEEDED and attempt == task.attempts
        written = effects[(planned.number, attempt)]
        name = f"attempt {attempt} of number {planned.number} ({task.task_id})"
        if succeeded:
            found.require(written == 1, f"{name} succeeded with {written} effects")
        elif record.ended_at is not None and task.state is not State.CANCELLED:
            found.require(written == 0, f"{name} ended with {record.error}, and had an effect")


def _audit_letters(found: Audit, app: DeployedApp, tasks: list[Task]) -> None:
    box = SQSDeadLetterBox(app.aws.sqs, app.description.dead_letter_queue_url)
    messages = box.look(10_000, hide=WINDOW * 0)
    found.require(not messages, f"{len(messages)} messages are dead letters")
    for task in tasks:
        if task.state is State.FAILED:
            found.require(task.listed_at is not None, f"{task.task_id} failed, and is not listed")


def audit_reports(found: Audit, app: DeployedApp, everything: list[Task]) -> None:
    """Require that the closed windows count exactly what the store says finished in them."""
    closed, counted = reported(app)
    stored: Counter[Kind] = Counter()
    for task in everything:
        if task.finished_at is not None and closed and Window.holding(task.finished_at) <= closed:
            stored[(task.processor, task.mode, task.state)] += 1
    found.require(counted == stored, f"the reports count {counted}, the store {stored}")
    found.figures["reported"] = sum(counted.values())


def _audit_restarts(found: Audit, app: DeployedApp) -> None:
    """Require that the reports were made by more than one environment."""
    restarts = _environments(app, "report") - 1
    found.require(restarts > 0, "one environment made all reports")
    found.figures["report_restarts"] = restarts


def _audit_prometheus(found: Audit, asked: Prometheus, everything: list[Task]) -> None:
    """Require that its counters equal the store, and never went back on the way."""
    for name, part in _COUNTERS.items():
        stored: Counter[Kind] = Counter()
        for task in everything:
            stored[(task.processor, task.mode, task.state)] += part(task)
        counted = asked.counter(name)
        found.require(counted == stored, f"Prometheus: {name} {counted}, the store {stored}")
    back = +asked.counter("resets(tandem_tasks_total[1d])")
    found.require(not back, f"counters went back: {back}")
    found.figures["counted_by_prometheus"] = asked.counter("tandem_tasks_total").total()


def _environments(app: DeployedApp, function: str) -> int:
    """Return in how many execution environments a function ran."""
    lines = app.log_entries(function)
    return len({line["function_request_id"] for line in lines if line.get("cold_start")})


def reported(app: DeployedApp) -> tuple[Window | None, Counter[Kind]]:
    """Return the last closed window, and what all closed windows count."""
    counts: Counter[Kind] = Counter()
    newest: Window | None = None
    parameters = {"limit": "100"}
    while True:
        page = app.operator.get("/reports", params=parameters).raise_for_status().json()
        for report in page["reports"]:
            window = Window.holding(datetime.fromisoformat(report["window"]))
            newest = newest or window
            for series in report["counts"]:
                kind = (series["processor"], series["mode"], series["outcome"])
                counts[kind] += series["tasks"]
        if page["next_before"] is None:
            return newest, counts
        parameters["before"] = page["next_before"]


def stored_tasks(app: DeployedApp) -> list[Task]:
    """Return every task that the store holds."""
    pages = app.aws.dynamodb.get_paginator("scan").paginate(
        TableName=app.description.table,
        ConsistentRead=True,
        FilterExpression="begins_with(pk, :task)",
        ExpressionAttributeValues={":task": {"S": "task#"}},
    )
    return [from_item(item) for page in pages for item in page["Items"]]
