"""A soak through faults: AWS calls are lost, refused and delayed by a seed, and then an audit."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.bench.fault_audit import Seen, audit_faults, read_effects, traces
from tandem_tools.bench.fault_owner import Charge, Operators, Owner, Patience, Told
from tandem_tools.bench.fault_plan import Fault, Plan
from tandem_tools.bench.fault_proxy import FaultProxy
from tandem_tools.bench.fault_receiver import EffectReceiver, effect_receiver
from tandem_tools.bench.fault_tasks import Ground, Planned
from tandem_tools.bench.proxy_cost import proxy_cost
from tandem_tools.bench.short_limits import with_limits
from tandem_tools.bench.soak import (
    PROCESSORS,
    REPORTED_WITHIN_SECONDS,
    SoakFailed,
    in_flight,
    kill_child,
    wait_until,
)
from tandem_tools.bench.soak_audit import closed_through
from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.harness.prometheus import restart_report
from tandem_tools.harness.receiver import Receiver
from tandem_tools.harness.stack import RECEIVER_ADDRESS, DeployedApp, deployed_app
from tandem_tools.ports import free_port

TASKS = 1000
SEEDS = (1,)
KILLS = 4
"""Of each seed."""
QUIET_WITHIN_SECONDS = 600
TOLD_WITHIN_SECONDS = 200
BACKLOG = 200
"""So few tasks are in flight when the next seed begins: else the sweep sends many again."""
TICK_SECONDS = 4.0
"""How often the report function runs, beside the template's own schedule."""
REDRIVE_SECONDS = 3.0
LIMITS = {
    "LEASE": 15,
    "DUE_MARGIN": 20,
    "CALLBACK_MARGIN": 8,
    "LETTERS_HIDDEN": 10,
    "REPORT_GRACE": 3,
}
"""Instead of minutes. A `paid` attempt may outlast its lease, and is given its whole time."""
PARAMETERS = {
    "WorkerTimeoutSeconds": "20",
    "VisibilityTimeoutSeconds": "24",
    "CallbackAllowedNetworks": f"{RECEIVER_ADDRESS}/32",
    "CallbackRetrySeconds": "1,1,1,1,1,1",
    # All requests are one tenant's, and wait for the emulator, not for a bucket of tokens.
    "ThrottleRequestsPerSecond": "10000",
    "ThrottleBurst": "5000",
}
TICK = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})

_CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack whose functions call AWS through a proxy, and receivers of callbacks and effects."""

    app: DeployedApp
    proxy: FaultProxy
    receiver: Receiver
    effects: EffectReceiver
    folder: Path


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Start a stack behind a proxy that passes everything, and stop all of it after."""
    port = free_port()
    build(machine_architecture())
    with (
        Receiver(RECEIVER_ADDRESS) as receiver,
        effect_receiver() as effects,
        FaultProxy(port) as proxy,
        deployed_app(
            folder / "stack",
            PARAMETERS,
            PROCESSORS,
            stack_port=port,
            functions_endpoint_url=proxy.url,
            build_dir=with_limits(folder / "build", LIMITS),
        ) as app,
    ):
        authority = receiver.write_authority(folder / "authority.pem")
        app.configure("callback", SSL_CERT_FILE=str(authority))
        yield Scene(app, proxy, receiver, effects, folder)


def measure(
    *, seeds: Sequence[int] = SEEDS, tasks: int = TASKS, minutes: float = math.inf
) -> dict[str, Any]:
    """Soak one stack with the tasks of each seed, and return the figures.

    Args:
        seeds: of the plans.
        tasks: how many for each seed.
        minutes: after how many no further seed is begun.

    Raises:
        SoakFailed: an audit found something wrong. It says what, and by which calls.
    """
    began = time.monotonic()
    with TemporaryDirectory(prefix="faults-") as name, scene(Path(name)) as prepared:
        ratio = proxy_cost(prepared.app, prepared.proxy)
        plans = [Plan(seed) for seed in seeds]
        until = began + minutes * 60
        seen = soak_through_faults(prepared, plans, tasks=tasks, kills=KILLS, until=until)
        await_reports(prepared.app)
        found = audit_faults(prepared.app, seen)
    if found.wrong:
        message = "\n".join(traces(found, prepared.proxy.calls))
        raise SoakFailed(message)
    lasted = round((time.monotonic() - began) / 60, 1)
    return found.figures | {"throughput_ratio": ratio, "minutes": lasted}


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    head = ["| soak through faults, on one machine | |", "| --- | ---: |"]
    lines = [f"| {name} | {show(result)} |" for name, show in _SHOWN.items()]
    return "\n".join([*head, *lines])


def _sum(result: dict[str, Any], name: str) -> str:
    return f"{sum(run[name] for run in result['runs']):,}"


def _sums(*names: str, separator: str = ", ") -> Callable[[dict[str, Any]], str]:
    return lambda result: separator.join(_sum(result, name) for name in names)


def _injected(result: dict[str, Any]) -> str:
    """Return the faults of all runs, by kind. Results.json has them by operation, too."""
    met = [kinds for run in result["runs"] for kinds in run["injected"].values()]
    return ", ".join(f"`{fault}` {sum(kinds.get(fault, 0) for kinds in met):,}" for fault in Fault)


_SHOWN: dict[str, Callable[[dict[str, Any]], str]] = {
    "seeds": lambda result: ", ".join(str(run["seed"]) for run in result["runs"]),
    "tasks submitted, and with those done again": _sums("tasks", "stored"),
    "succeeded / failed / cancelled": _sums("succeeded", "failed", "cancelled", separator=" / "),
    "failed online": _sums("failed_online"),
    "attempts, effects": _sums("attempts", "effects"),
    "effects by `once`, its requests, answers lost by its receiver": _sums(
        "bookings", "booking_requests", "booking_answers_lost"
    ),
    "tasks that ended with EffectUnknown": _sums("unknown"),
    "AWS calls, faults injected": _sums("calls", "faults"),
    "of these": _injected,
    "workers killed, messages sent twice": _sums("kills", "duplicates"),
    "attempts that ended with their process, of these at no cost": _sums("crashes", "free_crashes"),
    "tasks moved on by the sweep": _sums("sweeps"),
    "done again by owners, redriven": _sums("retried", "redriven"),
    "callbacks received": _sums("told"),
    "tasks counted by reports": lambda result: f"{result['reported']:,}",
    "dead letters of tasks that have ended": lambda result: f"{result['dead_letters']:,}",
    "minutes": lambda result: f"{result['minutes']}",
    "calls/s through the proxy without faults, of those without it": lambda result: (
        f"{result['throughput_ratio']:.2f}"
    ),
}


def soak_through_faults(
    prepared: Scene, plans: Sequence[Plan], *, tasks: int, kills: int, until: float = math.inf
) -> list[Seen]:
    """Submit each plan's tasks while AWS calls meet its faults. Kill workers, redrive what failed.

    The next plan is in force from when the tasks of the last are all submitted: what is left of
    these ends meanwhile.

    Args:
        prepared: where.
        plans: the faults: one after the other.
        tasks: how many for each plan.
        kills: how often a worker's process is killed, beside the ones that end themselves.
        until: by the monotonic clock, from when no further plan is begun.

    Raises:
        TimeoutError: nothing happened for too long.
    """
    patience = Patience()
    runs = [_Run(prepared, plan, tasks, patience) for plan in plans]
    operators = Operators(prepared.app, [run.charge for run in runs], patience)
    try:
        with _company(prepared.app, operators, patience) as company:
            begun = _submit_all(runs, company.later, kills, until)
            company.end_redrives()
            _settle(prepared.app, begun, operators)
            listed = operators.listed()
            for run in begun:
                run.await_posts()
    finally:
        prepared.proxy.disarm()
    return [run.seen(listed) for run in begun]


def _submit_all(
    runs: "Sequence[_Run]", later: Executor, kills: int, until: float
) -> "Sequence[_Run]":
    """Submit the tasks of one run after the other. Return the runs that were begun in time."""
    for number, run in enumerate(runs):
        if number and time.monotonic() > until:
            return runs[:number]
        wait_until(partial(_few_in_flight, run.scene.app), QUIET_WITHIN_SECONDS, "nothing ends")
        run.scene.proxy.arm(run.plan, keep=number > 0)
        run.submit(kills, later)
    return runs


def _few_in_flight(app: DeployedApp) -> bool:
    return in_flight(app) <= BACKLOG


@dataclass(frozen=True, slots=True)
class _Company:
    """The threads that work beside the one that submits."""

    later: Executor
    """For what owners do when their tasks have moved."""
    end_redrives: Callable[[], None]
    """Waits for the redrive that is under way, and lets no other begin."""


@contextmanager
def _company(app: DeployedApp, operators: Operators, patience: Patience) -> Iterator[_Company]:
    """Run reports, with their sweeps, and redrive what failed, until the block is left."""
    submitted = Event()
    later, beside = ThreadPoolExecutor(_CLIENTS), ThreadPoolExecutor(2)
    ticking = beside.submit(_tick, app, patience.stopped)
    redriving = beside.submit(_redrive, operators, submitted)

    def end_redrives() -> None:
        submitted.set()
        redriving.result()

    try:
        yield _Company(later, end_redrives)
    finally:
        submitted.set()
        patience.stopped.set()  # no thread goes on when the block is left by an error
        later.shutdown(cancel_futures=True)
        beside.shutdown()
    ticking.result()


def await_reports(app: DeployedApp) -> None:
    """Wait until the reports have counted all that has ended until now.

    Raises:
        TimeoutError: they have not.
    """
    ended = time.time()

    def reported() -> bool:
        _run_report(app)
        return closed_through(app) > ended

    wait_until(reported, REPORTED_WITHIN_SECONDS, "the reports do not come", pause_seconds=1)


def _tick(app: DeployedApp, stopped: Event) -> None:
    """Run the report, with its sweep, now and then."""
    while not stopped.wait(TICK_SECONDS):
        with suppress(ClientError, BotoCoreError):  # the next one does all of its work
            _run_report(app)


def _run_report(app: DeployedApp) -> None:
    name = app.description.functions["report"]
    app.aws.functions.invoke(FunctionName=name, Payload=TICK.encode())


def _redrive(operators: Operators, submitted: Event) -> None:
    """Redrive what failed, now and then, while tasks are submitted."""
    while not submitted.wait(REDRIVE_SECONDS):
        operators.redrive()


def _settle(app: DeployedApp, runs: "Sequence[_Run]", operators: Operators) -> None:
    """Wait until every task is final and redriven, or too long: the audit names those that hang."""
    deadline = time.monotonic() + QUIET_WITHIN_SECONDS
    for run in runs:
        run.await_owner()
    while time.monotonic() < deadline:
        quiet = not in_flight(app)
        if not operators.redrive() and quiet:
            return
        time.sleep(REDRIVE_SECONDS)


@dataclass(slots=True)
class _Run:
    """One seed's part of a soak through faults."""

    scene: Scene
    plan: Plan
    tasks: int
    patience: Patience
    kills: int = 0
    charge: Charge = field(init=False)
    _doing: list[Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        ground = Ground(
            self.scene.folder, self.plan.seed, self.scene.receiver.url, self.scene.effects.url
        )
        ground.ledger.touch()
        self.charge = Charge(ground, Told(), [Planned(number) for number in range(self.tasks)])

    def submit(self, kills: int, later: Executor) -> None:
        """Submit all tasks, and kill workers meanwhile."""
        with ThreadPoolExecutor(_CLIENTS) as threads, ThreadPoolExecutor(1) as beside:
            name = f"{self.plan.seed}-{time.time_ns()}"
            charge = self.charge
            owner = Owner(
                *(self.scene.app, charge.ground, charge.told, self.patience),
                *(threads, later, name, self._doing),
            )
            submitted = beside.submit(owner.submit_all, charge.plan)
            try:
                self._kill_workers(kills, submitted)
                submitted.result()
            except BaseException:
                self.patience.stopped.set()
                raise

    def await_owner(self) -> None:
        """Wait until the owner has done everything."""
        for doing in self._doing:
            doing.result()

    def await_posts(self) -> None:
        """Wait for as many callbacks as there must be, or for a while: the audit names others."""
        submitted = self.charge.submitted()
        wanted = {task_id for task_id, planned in submitted.items() if planned.told}
        deadline = time.monotonic() + TOLD_WITHIN_SECONDS
        while wanted - {task for task, _ in self._posts()} and time.monotonic() < deadline:
            time.sleep(0.5)

    def seen(self, listed: set[str]) -> Seen:
        """Return what the run left."""
        charge = self.charge
        charge.told.listed = listed
        bookings = self.scene.effects.bookings
        return Seen(
            charge.plan,
            charge.ground,
            charge.told,
            self._posts(),
            bookings,
            self.scene.proxy.calls,
            self.kills,
        )

    def _posts(self) -> list[tuple[str, str]]:
        posts = self.scene.receiver.requests
        return [(post.headers["webhook-id"], json.loads(post.body)["type"]) for post in posts]

    def _kill_workers(self, kills: int, submitted: Future[None]) -> None:
        """Kill a worker each time that another part of the effects is there."""
        for number in range(1, kills + 1):
            wanted = self.tasks * number // (2 * kills + 2)
            wait_until(
                partial(self._enough, wanted, submitted),
                QUIET_WITHIN_SECONDS,
                "nothing happens",
            )
            if effects := read_effects(self.charge.ground):
                emulator = self.scene.app.description.pids["emulator"]
                self.kills += kill_child(emulator, effects[-1].process_id)
            restart_report(self.scene.app)

    def _enough(self, effects: int, submitted: Future[None]) -> bool:
        return submitted.done() or len(read_effects(self.charge.ground)) >= effects
