"""A soak: many tasks on the deployed stack while functions are killed, and then an audit."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem_tools.bench.soak_audit import Soaked, audit, closed_through
from tandem_tools.bench.soak_client import Client
from tandem_tools.bench.soak_plan import Planned
from tandem_tools.harness import prometheus_program as prometheus
from tandem_tools.harness.prometheus import Prometheus, restart_report, running
from tandem_tools.harness.stack import DeployedApp, deployed_app
from tandem_tools.run.deployment import modules_in

TASKS = 5000
KILLS = 8
PROCESSORS = modules_in(Path(__file__).parent / "processors")
FINAL_WITHIN_SECONDS = 600
REPORTED_WITHIN_SECONDS = 150
PARAMETERS = {"WorkerTimeoutSeconds": "20", "VisibilityTimeoutSeconds": "140"}
"""A killed worker's messages come back after every lease is over and a sweep has run: so the sweep
moves on what was running, and the queue brings what was not."""

_CLIENTS = 8
_SCRAPED_WITHIN_SECONDS = 60


class SoakFailed(Exception):
    """Something was lost, came twice, or never ended."""


def measure() -> dict[str, Any]:
    """Soak a stack of its own, and return the figures."""
    with (
        TemporaryDirectory(prefix="soak-") as folder,
        deployed_app(Path(folder), PARAMETERS, PROCESSORS) as app,
        _monitoring(app, Path(folder)) as asked,
    ):
        soaked = soak(app, Path(folder), tasks=TASKS, kills=KILLS)
        await_reports(app, asked)
        found = audit(app, soaked, asked)
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
        **_watched(result),
        "tasks/s, until 95 % were final": f"{result['tasks_per_second']:.0f}",
        "seconds until all were final": f"{result['seconds_until_final']:.0f}",
    }
    lines = [f"| {name} | {value} |" for name, value in shown.items()]
    return "\n".join(["| soak, on one machine | |", "| --- | ---: |", *lines])


def _watched(result: dict[str, Any]) -> dict[str, str]:
    """Return what the table says of Prometheus. Nothing where it was not asked."""
    if "counted_by_prometheus" not in result:
        return {}
    return {
        "report function restarted": f"{result['report_restarts']}",
        "tasks counted by Prometheus": f"{result['counted_by_prometheus']:,}",
    }


def _monitoring(app: DeployedApp, folder: Path) -> AbstractContextManager[Prometheus | None]:
    """Return Prometheus over the stack. None where this machine cannot fetch it."""
    if not prometheus.available():
        return nullcontext()
    return running(app, folder / "prometheus")


def soak(app: DeployedApp, folder: Path, *, tasks: int, kills: int) -> Soaked:
    """Submit tasks, do to them what was planned, kill functions, and wait until all is quiet.

    Args:
        app: the stack, with the tests' processors in it.
        folder: where the ledger of effects is written.
        tasks: how many.
        kills: how often a worker's process is killed, beside the ones that end themselves, and the
            report function is started anew.

    Raises:
        TimeoutError: tasks stayed in flight, or messages in the queue.
    """
    ledger = folder / "effects"
    ledger.touch()
    soaked = Soaked(tasks, ledger)
    plan = [Planned(number) for number in range(tasks)]
    with ThreadPoolExecutor(_CLIENTS) as threads:
        client = Client(app, soaked, threads)
        submitted = threads.submit(client.submit_all, plan)
        _kill_workers(app, soaked, kills, submitted)
        for cancelling in submitted.result():
            cancelling.result()
    await_quiet(app)
    return soaked


def await_quiet(app: DeployedApp) -> None:
    """Wait until every task is final, and the queue is empty.

    Raises:
        TimeoutError: tasks stayed in flight, or messages in the queue.
    """
    wait_until(lambda: in_flight(app) == 0, FINAL_WITHIN_SECONDS, "tasks stay in flight")
    wait_until(lambda: messages(app) == 0, FINAL_WITHIN_SECONDS, "messages stay in the queue")


def _kill_workers(
    app: DeployedApp, soaked: Soaked, kills: int, submitted: Future[list[Future[None]]]
) -> None:
    """Kill a worker each time that another part of the effects is there, and renew the report."""
    for number in range(1, kills + 1):
        wanted = soaked.tasks * number // (kills + 1)
        _await_effects(soaked, wanted, submitted)
        soaked.kills += kill_child(
            app.description.pids["emulator"], soaked.effects()[-1].process_id
        )
        restart_report(app)


def _await_effects(soaked: Soaked, wanted: int, submitted: Future[list[Future[None]]]) -> None:
    def enough() -> bool:
        if submitted.done():
            submitted.result()
        return len(soaked.effects()) >= wanted

    wait_until(enough, FINAL_WITHIN_SECONDS, "nothing happens")


def kill_child(emulator: int, process_id: int) -> bool:
    """Kill the process that wrote the last effect, if it is the emulator's own child still."""
    asked = subprocess.run(
        ["ps", "-o", "ppid=", "-p", str(process_id)],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.stdout.strip() != str(emulator):
        return False
    try:
        os.kill(process_id, signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself since
        return False
    return True


def in_flight(app: DeployedApp) -> int:
    """Count the tasks that have a due time: those that are not final."""
    pages = app.aws.dynamodb.get_paginator("scan").paginate(
        TableName=app.description.table, IndexName="by_due", Select="COUNT"
    )
    return sum(page["Count"] for page in pages)


def messages(app: DeployedApp) -> int:
    """Count the messages of the queue: those that wait, and those that are delivered or delayed."""
    attributes = app.aws.sqs.get_queue_attributes(
        QueueUrl=app.description.queue_url, AttributeNames=["All"]
    )["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"])
        + int(attributes["ApproximateNumberOfMessagesNotVisible"])
        + int(attributes["ApproximateNumberOfMessagesDelayed"])
    )


def await_reports(app: DeployedApp, asked: Prometheus | None) -> None:
    """Wait until the template's own schedule has closed this minute, and Prometheus has seen it.

    Raises:
        TimeoutError: it has not.
    """
    ended = time.time()
    wait_until(
        lambda: closed_through(app) > ended,
        REPORTED_WITHIN_SECONDS,
        "the reports do not come",
    )
    if asked is not None:
        wait_until(
            lambda: asked.closed_through() > ended,
            _SCRAPED_WITHIN_SECONDS,
            "Prometheus does not see the reports",
        )


def wait_until(
    done: Callable[[], bool], within_seconds: float, otherwise: str, *, pause_seconds: float = 0.2
) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it was not in time. The message says otherwise.
    """
    deadline = time.monotonic() + within_seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(pause_seconds)
