"""A soak through faults: AWS calls are lost, refused and delayed by a seed, and then an audit."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from benchmarks.fault_audit import Seen, audit_faults, read_effects, traces
from benchmarks.fault_owner import Operators, Owner, Patience, Told
from benchmarks.fault_plan import Fault, Plan
from benchmarks.fault_proxy import FaultProxy
from benchmarks.fault_tasks import Ground, Planned
from benchmarks.proxy_cost import proxy_cost
from benchmarks.soak import (
    PROCESSORS,
    REPORTED_WITHIN_SECONDS,
    SoakFailed,
    in_flight,
    kill_child,
    wait_until,
)
from benchmarks.soak_audit import closed_through, stored_tasks
from local.ports import free_port
from tandem.domain.clock import SystemClock, to_text
from tandem.domain.task import Mode, State, Task
from tests.factories.receiver import Receiver
from tests.stack.prometheus import restart_report
from tests.stack.stack import RECEIVER_ADDRESS, DeployedApp, deployed_app

TASKS = 1000
SEEDS = (1,)
KILLS = 4
QUIET_WITHIN_SECONDS = 600
REDRIVEN_WITHIN_SECONDS = 120
REDRIVE_PAUSE_SECONDS = 5
LISTED_WITHIN_SECONDS = 75
"""What a redrive was stopped in the middle of stays hidden for a minute."""
TOLD_WITHIN_SECONDS = 200
SWEEP_SECONDS = 5.0
PARAMETERS = {
    "WorkerTimeoutSeconds": "20",
    "VisibilityTimeoutSeconds": "24",
    "CallbackAllowedNetworks": f"{RECEIVER_ADDRESS}/32",
    "CallbackRetrySeconds": "1,1,1,1,1,1",
}
TICK = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})

_CLIENTS = 12


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack whose functions call AWS through a proxy, and a receiver of callbacks."""

    app: DeployedApp
    proxy: FaultProxy
    receiver: Receiver
    folder: Path


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Start a stack behind a proxy that passes everything, and stop all of it after."""
    port = free_port()
    with (
        Receiver(RECEIVER_ADDRESS) as receiver,
        FaultProxy(port) as proxy,
        deployed_app(
            folder / "stack",
            PARAMETERS,
            PROCESSORS,
            stack_port=port,
            functions_endpoint_url=proxy.url,
        ) as app,
    ):
        authority = receiver.write_authority(folder / "authority.pem")
        app.configure("callback", SSL_CERT_FILE=str(authority))
        yield Scene(app, proxy, receiver, folder)


def measure(*, seeds: Iterable[int] = SEEDS, tasks: int = TASKS) -> dict[str, Any]:
    """Soak a stack of its own for each seed, and return the figures.

    Raises:
        SoakFailed: an audit found something wrong; it says what, and by which calls.
    """
    runs = []
    for seed in seeds:
        with TemporaryDirectory(prefix="faults-") as name, scene(Path(name)) as prepared:
            ratio = proxy_cost(prepared.app, prepared.proxy)
            runs.append(_audited(prepared, Plan(seed), tasks) | {"throughput_ratio": ratio})
    return {"runs": runs}


def table(result: dict[str, Any]) -> str:
    """Return the result as two Markdown tables: what was audited, and what was injected."""
    runs = result["runs"]
    head = ["| soak through faults, on one machine |" + " |" * len(runs)]
    head.append("| --- |" + " ---: |" * len(runs))
    rows = {name: [show(run) for run in runs] for name, show in _SHOWN.items()}
    lines = [f"| {name} | {' | '.join(values)} |" for name, values in rows.items()]
    return "\n".join([*head, *lines, "", *_injected(runs)])


_SHOWN: dict[str, Callable[[dict[str, Any]], str]] = {
    "seed": lambda run: f"{run['seed']}",
    "tasks submitted, and with those done again": lambda run: (
        f"{run['tasks']:,}, {run['stored']:,}"
    ),
    "succeeded / failed / cancelled": lambda run: (
        f"{run['succeeded']:,} / {run['failed']:,} / {run['cancelled']:,}"
    ),
    "attempts, effects": lambda run: f"{run['attempts']:,}, {run['effects']:,}",
    "AWS calls, faults injected": lambda run: f"{run['calls']:,}, {run['faults']:,}",
    "workers killed, messages sent twice": lambda run: f"{run['kills']}, {run['duplicates']}",
    "tasks moved on by the sweep": lambda run: f"{run['sweeps']}",
    "done again by owners, redriven": lambda run: f"{run['retried']}, {run['redriven']}",
    "callbacks received, tasks counted by reports": lambda run: (
        f"{run['told']}, {run['reported']:,}"
    ),
    "calls/s through the proxy without faults, of those without it": lambda run: (
        f"{run['throughput_ratio']:.2f}"
    ),
}


def _injected(runs: list[dict[str, Any]]) -> Iterator[str]:
    """Return the faults of all runs, by operation and kind."""
    operations = sorted({operation for run in runs for operation in run["injected"]})
    yield f"| faults by operation | {' | '.join(Fault)} |"
    yield "| --- |" + " ---: |" * len(Fault)
    for operation in operations:
        met = [run["injected"].get(operation, {}) for run in runs]
        times = [sum(one.get(fault, 0) for one in met) for fault in Fault]
        yield f"| `{operation}` | {' | '.join(str(one or '') for one in times)} |"


def _audited(prepared: Scene, plan: Plan, tasks: int) -> dict[str, Any]:
    seen = soak_through_faults(prepared, plan, tasks=tasks, kills=KILLS)
    found = audit_faults(prepared.app, seen)
    if found.wrong:
        told = "\n".join(traces(found, seen.calls))
        message = f"seed {plan.seed}, {tasks} tasks:\n{told}"
        raise SoakFailed(message)
    return {"seed": plan.seed} | found.figures


def soak_through_faults(prepared: Scene, plan: Plan, *, tasks: int, kills: int) -> Seen:
    """Submit tasks, let AWS calls meet faults, kill workers, redrive what failed; wait for all.

    Args:
        prepared: where.
        plan: the faults.
        tasks: how many.
        kills: how often a worker's process is killed, beside the ones that end themselves.

    Raises:
        TimeoutError: reports did not come.
    """
    run = _Run(prepared, [Planned(number) for number in range(tasks)])
    prepared.proxy.arm(plan)
    try:
        run.submit(kills)
        run.settle()
        run.do_again()
        run.redrive()
        run.await_posts()
        run.await_reports()
    finally:
        prepared.proxy.disarm()
    return run.seen()


@dataclass(slots=True)
class _Run:
    """The steps of a soak through faults."""

    scene: Scene
    plan: list[Planned]
    ground: Ground = field(init=False)
    told: Told = field(default_factory=Told)
    patience: Patience = field(default_factory=Patience)
    kills: int = 0
    _swept_at: float = 0
    _waiting: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        folder, receiver = self.scene.folder, self.scene.receiver
        self.ground = Ground(folder / "effects", folder / "mended", receiver.url)
        self.ground.ledger.touch()

    def submit(self, kills: int) -> None:
        """Submit all tasks, and kill workers meanwhile."""
        with ThreadPoolExecutor(_CLIENTS) as threads, ThreadPoolExecutor(1) as beside:
            submitted = beside.submit(self._owner(threads).submit_all, self.plan)
            with self._stopping_threads():
                self._kill_workers(kills, submitted)
                while not submitted.done():
                    self._sweep()  # owners wait for tasks to run, whose messages may not be sent
                    time.sleep(0.2)
                submitted.result()

    def settle(self) -> None:
        """Wait until every task is final, or nothing moves on any more: the audit names those."""
        deadline = time.monotonic() + QUIET_WITHIN_SECONDS
        while in_flight(self.scene.app) and time.monotonic() < deadline:
            self._sweep()
            time.sleep(0.2)

    def do_again(self) -> None:
        """Let owners do again what succeeded, and wait for that."""
        with ThreadPoolExecutor(_CLIENTS) as threads:
            owner = self._owner(threads)
            owner.do_again(self.plan)
        self.settle()

    def redrive(self) -> None:
        """List what failed, mend its cause, and redrive it until all of it was, or for a while."""
        operators = Operators(self.scene.app, self.told, self.patience)
        self.ground.mended.touch()
        deadline = time.monotonic() + REDRIVEN_WITHIN_SECONDS
        operators.redrive()
        while self._not_done_again(lambda task: task.retry_of is None):
            if time.monotonic() > deadline:
                break
            time.sleep(REDRIVE_PAUSE_SECONDS)
            operators.redrive()
        self.settle()
        deadline = time.monotonic() + LISTED_WITHIN_SECONDS
        while self._not_done_again(lambda task: task.task_id not in self.told.listed):
            if time.monotonic() > deadline:
                break
            self.told.listed |= operators.listed()

    def _not_done_again(self, wanted: Callable[[Task], bool]) -> bool:
        """Return whether there are failed tasks, of those wanted, that no other task does again."""
        tasks = stored_tasks(self.scene.app)
        again = {task.retry_of for task in tasks}
        return any(
            task.state is State.FAILED
            and task.mode is Mode.OFFLINE
            and task.task_id not in again
            and wanted(task)
            for task in tasks
        )

    def await_posts(self) -> None:
        """Wait for as many callbacks as there must be, or for a while: the audit names others."""
        wanted = sum(planned.told for planned in self.plan)
        deadline = time.monotonic() + TOLD_WITHIN_SECONDS
        while len({task for task, _ in self._posts()}) < wanted and time.monotonic() < deadline:
            time.sleep(0.5)

    def await_reports(self) -> None:
        """Wait until the reports have closed the minute that all of this ended in.

        Raises:
            TimeoutError: they have not.
        """
        ended = time.time()
        wait_until(
            partial(self._reported_through, ended),
            REPORTED_WITHIN_SECONDS,
            "the reports do not come",
        )

    def seen(self) -> Seen:
        """Return what the run left."""
        return Seen(
            self.plan, self.ground, self.told, self._posts(), self.scene.proxy.calls, self.kills
        )

    @contextmanager
    def _stopping_threads(self) -> Iterator[None]:
        """Let no thread go on when the block is left by an error, or an interrupt."""
        try:
            yield
        except BaseException:
            self.patience.stopped.set()
            raise

    def _owner(self, threads: ThreadPoolExecutor) -> Owner:
        name = f"{time.time_ns()}"
        return Owner(self.scene.app, self.ground, self.told, self.patience, threads, name)

    def _posts(self) -> list[tuple[str, str]]:
        posts = self.scene.receiver.requests
        return [(post.headers["webhook-id"], json.loads(post.body)["type"]) for post in posts]

    def _kill_workers(self, kills: int, submitted: Future[None]) -> None:
        """Kill a worker each time that another part of the effects is there."""
        for number in range(1, kills + 1):
            wanted = len(self.plan) * number // (2 * kills + 2)
            wait_until(
                partial(self._enough, wanted, submitted),
                QUIET_WITHIN_SECONDS,
                "nothing happens",
            )
            if effects := read_effects(self.ground):
                emulator = self.scene.app.description.pids["emulator"]
                self.kills += kill_child(emulator, effects[-1].process_id)
            restart_report(self.scene.app)

    def _enough(self, effects: int, submitted: Future[None]) -> bool:
        return submitted.done() or len(read_effects(self.ground)) >= effects

    def _reported_through(self, ended: float) -> bool:
        self._sweep()
        try:
            return closed_through(self.scene.app) > ended
        except httpx2.HTTPError:
            return False  # this call of the API met a fault

    def _sweep(self) -> None:
        """Run the report now and then, and let what waits for its sweep not wait."""
        if time.monotonic() < self._swept_at + SWEEP_SECONDS:
            return
        self._swept_at = time.monotonic()
        self._waiting = hasten(self.scene.app, self._waiting)
        self.scene.app.aws.functions.invoke(
            FunctionName=self.scene.app.description.functions["report"], Payload=TICK.encode()
        )


def hasten(app: DeployedApp, seen: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Make queued tasks overdue that seem to have no message; return the tasks in flight.

    Else each waits a quarter of an hour for its sweep. A task that is to wait for its time is left
    alone. One whose message comes after all has two: so it is when a sweep is early.

    Args:
        app: the stack.
        seen: what the last look returned. What has moved since then is left alone.
    """
    client, name = app.aws.dynamodb, app.description.table
    now = to_text(SystemClock().now())
    pages = client.get_paginator("scan").paginate(TableName=name, IndexName="by_due")
    in_flight_now = {
        (item["pk"]["S"], item["due_at"]["S"]) for one in pages for item in one["Items"]
    }
    for key, due_at in in_flight_now & seen:
        values = {":now": {"S": now}, ":seen": {"S": due_at}, ":queued": {"S": "queued"}}
        try:
            client.update_item(
                TableName=name,
                Key={"pk": {"S": key}},
                UpdateExpression="SET due_at = :now",
                ConditionExpression="#state = :queued AND due_at = :seen AND due_at > :now "
                "AND (attribute_not_exists(not_before) OR not_before < :now)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=values,
            )
        except client.exceptions.ConditionalCheckFailedException:
            continue  # it moved, or runs, or waits for its time
    return frozenset(in_flight_now)
