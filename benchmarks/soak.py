"""A soak: many tasks on the deployed stack while workers are killed, and then an audit."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.soak_audit import Soaked, audit, closed_through
from benchmarks.soak_plan import Planned
from tandem.limits import BATCH_TASKS
from tests.stack.stack import DeployedApp, deployed_app

TASKS = 5000
KILLS = 8
PROCESSORS = Path(__file__).parent / "processors"
FINAL_WITHIN_SECONDS = 600
REPORTED_WITHIN_SECONDS = 150
PARAMETERS = {"WorkerTimeoutSeconds": "20", "VisibilityTimeoutSeconds": "100"}
"""A killed worker's messages come back after every lease is over and a sweep has run: so the sweep
moves on what was running, and the queue brings what was not."""

_CLIENTS = 8


class SoakFailed(Exception):
    """Something was lost, came twice, or never ended."""


def measure() -> dict[str, Any]:
    """Soak a stack of its own, and return the figures."""
    with (
        TemporaryDirectory(prefix="soak-") as folder,
        deployed_app(Path(folder), PARAMETERS, PROCESSORS) as app,
    ):
        soaked = soak(app, Path(folder), tasks=TASKS, kills=KILLS)
        _await_reports(app)
        found = audit(app, soaked)
    if found.wrong:
        raise SoakFailed("\n".join(found.wrong))
    return found.figures


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    shown = {
        "tasks": f"{result['tasks']:,}",
        "succeeded / failed / cancelled": " / ".join(
            f"{result[state]:,}" for state in ("succeeded", "failed", "cancelled")
        ),
        "attempts (lost with their worker)": f"{result['attempts']:,} ({result['attempts_lost']})",
        "workers killed": f"{result['kills']}",
        "messages sent twice": f"{result['duplicates']}",
        "tasks moved on by the sweep": f"{result['sweeps']}",
        "tasks/s, until 95 % were final": f"{result['tasks_per_second']:.0f}",
        "seconds until all were final": f"{result['seconds_until_final']:.0f}",
    }
    lines = [f"| {name} | {value} |" for name, value in shown.items()]
    return "\n".join(["| soak, on one machine | |", "| --- | ---: |", *lines])


def soak(app: DeployedApp, folder: Path, *, tasks: int, kills: int) -> Soaked:
    """Submit tasks, do to them what was planned, kill workers, and wait until all is quiet.

    Args:
        app: the stack, with the tests' processors in it.
        folder: where the ledger of effects is written.
        tasks: how many.
        kills: how often a worker's process is killed, beside the ones that end themselves.

    Raises:
        TimeoutError: tasks stayed in flight, or messages in the queue.
    """
    ledger = folder / "effects"
    ledger.touch()
    soaked = Soaked(tasks, ledger)
    plan = [Planned(number) for number in range(tasks)]
    with ThreadPoolExecutor(_CLIENTS) as threads:
        client = _Client(app, soaked, threads)
        submitted = threads.submit(client.submit_all, plan)
        _kill_workers(app, soaked, kills, submitted)
        for cancelling in submitted.result():
            cancelling.result()
    _wait(lambda: _in_flight(app) == 0, FINAL_WITHIN_SECONDS, "tasks stay in flight")
    _wait(lambda: _messages(app) == 0, FINAL_WITHIN_SECONDS, "messages stay in the queue")
    return soaked


@dataclass(frozen=True, slots=True)
class _Client:
    """Does what the owner of the tasks does."""

    app: DeployedApp
    soaked: Soaked
    threads: ThreadPoolExecutor

    def submit_all(self, plan: list[Planned]) -> list[Future[None]]:
        """Submit all tasks, and return the cancellations that are on their way."""
        return [
            cancelling
            for some in batched(plan, BATCH_TASKS, strict=False)
            for cancelling in self._submit(some)
        ]

    def _submit(self, some: tuple[Planned, ...]) -> Iterator[Future[None]]:
        """Submit some tasks in one call, and do to them what was planned."""
        body = {"tasks": [one.submission(self.soaked.ledger) for one in some]}
        answer = self.app.machine.post("/process-offline/batch", json=body).raise_for_status()
        for one, item in zip(some, answer.json()["items"], strict=True):
            task_id: str = item["task"]["task_id"]
            self.soaked.planned[task_id] = one
            if one.duplicated:
                self._send_again(task_id)
            if one.cancelled:
                yield self.threads.submit(
                    self._cancel, task_id, when_running=one.cancelled_when_running
                )

    def _send_again(self, task_id: str) -> None:
        self.app.aws.sqs.send_message(
            QueueUrl=self.app.description.queue_url, MessageBody=json.dumps({"task_id": task_id})
        )

    def _cancel(self, task_id: str, *, when_running: bool) -> None:
        while when_running and self._state(task_id) == "queued":
            time.sleep(0.2)
        self.app.machine.post(f"/tasks/{task_id}/cancel")

    def _state(self, task_id: str) -> str:
        state: str = self.app.machine.get(f"/tasks/{task_id}").raise_for_status().json()["state"]
        return state


def _kill_workers(
    app: DeployedApp, soaked: Soaked, kills: int, submitted: Future[list[Future[None]]]
) -> None:
    """Kill a worker each time that another part of the effects is there."""
    for number in range(1, kills + 1):
        wanted = soaked.tasks * number // (kills + 1)
        _await_effects(soaked, wanted, submitted)
        soaked.kills += _kill(app.description.pids["emulator"], soaked.effects()[-1].process_id)


def _await_effects(soaked: Soaked, wanted: int, submitted: Future[list[Future[None]]]) -> None:
    def enough() -> bool:
        if submitted.done():
            submitted.result()
        return len(soaked.effects()) >= wanted

    _wait(enough, FINAL_WITHIN_SECONDS, "nothing happens")


def _kill(emulator: int, process_id: int) -> bool:
    """Kill the process that wrote the last effect, if it is the emulator's own child still."""
    asked = subprocess.run(  # noqa: S603 - a fixed command
        ["ps", "-o", "ppid=", "-p", str(process_id)],  # noqa: S607 - as every shell finds it
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.stdout.strip() != str(emulator):
        return False
    os.kill(process_id, signal.SIGKILL)
    return True


def _in_flight(app: DeployedApp) -> int:
    """Count the tasks that have a due time: those that are not final."""
    pages = app.aws.dynamodb.get_paginator("scan").paginate(
        TableName=app.description.table, IndexName="by_due", Select="COUNT"
    )
    return sum(page["Count"] for page in pages)


def _messages(app: DeployedApp) -> int:
    attributes = app.aws.sqs.get_queue_attributes(
        QueueUrl=app.description.queue_url, AttributeNames=["All"]
    )["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"])
        + int(attributes["ApproximateNumberOfMessagesNotVisible"])
        + int(attributes["ApproximateNumberOfMessagesDelayed"])
    )


def _await_reports(app: DeployedApp) -> None:
    """Wait until the template's own schedule has closed the minute in which the last task ended."""
    ended = time.time()
    _wait(
        lambda: closed_through(app) > ended,
        REPORTED_WITHIN_SECONDS,
        "the reports do not come",
    )


def _wait(done: Callable[[], bool], within_seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + within_seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.2)
