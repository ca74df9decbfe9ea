"""The audit of a soak through faults: nothing lost, nothing done or counted twice."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tandem.aws.sqs_dead_letters import SQSDeadLetterBox
from tandem.reports.window import WINDOW
from tandem.tasks.outcomes import TIMED_OUT
from tandem.tasks.task import Mode, State, Task, TaskError
from tandem.worker.deliver import read_task_id
from tandem_tools.bench.fault_calls import Calls
from tandem_tools.bench.fault_owner import Told
from tandem_tools.bench.fault_paid import audit_payments, paid_figures
from tandem_tools.bench.fault_receiver import Bookings
from tandem_tools.bench.fault_stored import CRASHED, Stored, counts_of_attempts
from tandem_tools.bench.fault_tasks import (
    DONE_AGAIN,
    DONE_WHEN_MENDED,
    NEVER_DONE,
    PAYING,
    Ground,
    Kind,
    Planned,
)
from tandem_tools.bench.soak_audit import Audit, audit_reports
from tandem_tools.harness.stack import DeployedApp

_TASK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_COUNTER = re.compile(r"^tandem_tasks_total\{(?P<labels>.*)\} (?P<value>\d+)", re.MULTILINE)
_OUTCOME = re.compile(r'outcome="(\w+)"')
_TRACED = 6
"""Wrong sentences that the trace of their task is shown for."""


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
    return [Effect(int(line[0]), line[1], int(line[2]), int(line[3])) for line in lines]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one seed's tasks left: at the clients, in the ledger, at the receivers, at the proxy."""

    plan: list[Planned]
    ground: Ground
    told: Told
    posts: list[tuple[str, str]]
    """The task and the type of event that each post to the receiver named, of all seeds."""
    bookings: Bookings
    """Of all seeds."""
    calls: Calls
    """Of all seeds."""
    kills: int


def audit_faults(app: DeployedApp, seen: Sequence[Seen], *, reports: bool = True) -> Audit:
    """Compare the table with what clients, the ledgers, the receivers and the reports say.

    Call it when all is quiet. It reads the emulator directly, and the API without faults. The
    figures have a part for each seed.

    Args:
        app: the stack.
        seen: what each seed's tasks left.
        reports: whether the reports have counted all tasks, and so must fit the table.
    """
    stored = Stored.of(app)
    seeds = [_audit_seed(ground, stored) for ground in seen]
    found = Audit(
        {"runs": [seed.figures for seed in seeds]}, [w for seed in seeds for w in seed.wrong]
    )
    known = {task_id for ground in seen for ids in ground.told.accepted.values() for task_id in ids}
    for task in stored.tasks.values():
        origin = stored.origin(task)
        found.require(origin in known, f"{task.task_id} is a task that nobody was told of")
    _audit_list(found, seen, stored)
    _audit_posts(found, seen, stored)
    _audit_messages(found, app, stored)
    if reports:
        audit_reports(found, app, list(stored.tasks.values()))
        _audit_totals(found, app, stored)
        counted = found.figures["reported"]
        found.require(counted == len(stored.tasks), f"{counted} of {len(stored.tasks)} reported")
    found.figures["stored"] = len(stored.tasks)
    found.figures["broken"] = seen[0].calls.broken
    return found


def traces(found: Audit, calls: Calls) -> Iterator[str]:
    """Return the first of the wrong sentences, each with the calls that name its task."""
    for wrong in found.wrong[:_TRACED]:
        yield wrong
        for task_id in dict.fromkeys(_TASK.findall(wrong)):
            yield from (f"    {call}" for call in calls.of_task(task_id))
    yield from found.wrong[_TRACED:]


@dataclass(slots=True)
class _Chains:
    """One seed's tasks, and what was planned for each or for the one that it does again."""

    planned: dict[str, Planned] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)

    @staticmethod
    def of(seen: Seen, stored: Stored) -> "_Chains":
        submitted = {
            task_id: seen.plan[number]
            for number, ids in seen.told.accepted.items()
            for task_id in ids
        }
        chains = _Chains()
        for task in stored.tasks.values():
            if planned := submitted.get(stored.origin(task)):
                chains.planned[task.task_id] = planned
                chains.tasks.append(task)
        return chains


def _audit_seed(seen: Seen, stored: Stored) -> Audit:
    chains = _Chains.of(seen, stored)
    found = Audit(_figures(seen, chains))
    for planned in seen.plan:
        _audit_acceptance(found, planned, seen, stored)
    for task_id, answer in seen.told.missing:
        found.wrong.append(f"{task_id} was accepted, and then answered 404: {answer}")
    for task in chains.tasks:
        _audit_end(found, task, chains.planned[task.task_id], seen, stored)
        counts_of_attempts(found, task)
    _audit_effects(found, seen, chains)
    audit_payments(
        found,
        [(chains.planned[task.task_id], task) for task in chains.tasks],
        seen.bookings.of_seed(seen.ground.seed),
        stored,
    )
    return found


def _figures(seen: Seen, chains: _Chains) -> dict[str, Any]:
    tasks = chains.tasks
    seed = seen.ground.seed
    states = Counter(task.state for task in tasks)
    injected = seen.calls.injected(seed)
    posted = {task_id for task_id, _ in seen.posts}
    return {
        "seed": seed,
        "tasks": len(seen.plan),
        "stored": len(tasks),
        **{state.value: states[state] for state in State if state.final},
        "failed_online": sum(
            task.state is State.FAILED and task.mode is Mode.ONLINE for task in tasks
        ),
        "attempts": sum(task.attempts for task in tasks),
        "effects": len(read_effects(seen.ground)),
        **paid_figures(seen.bookings, seed, tasks),
        "kills": seen.kills + sum(planned.kind is Kind.EXITS for planned in seen.plan),
        "crashes": sum(task.crashes for task in tasks),
        "free_crashes": sum(min(task.crashes, task.uncounted) for task in tasks),
        "alone": sum(task.alone for task in tasks),
        "duplicates": sum(planned.kind is Kind.DUPLICATED for planned in seen.plan),
        "sweeps": sum(task.sweeps for task in tasks),
        "retried": sum(bool(task.retry_of and not task.requested_by) for task in tasks),
        "redriven": sum(task.requested_by is not None for task in tasks),
        "told": len(posted & chains.planned.keys()),
        "calls": len(seen.calls.of_seed(seed)),
        "faults": sum(injected.values()),
        "injected": _by_operation(injected),
    }


def _by_operation(injected: Counter[tuple[str, Any]]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for (operation, fault), times in sorted(injected.items()):
        table.setdefault(operation, {})[fault] = times
    return table


def _audit_acceptance(found: Audit, planned: Planned, seen: Seen, stored: Stored) -> None:
    """Require one stored task for each number, done again as its owner knows."""
    name = f"seed {seen.ground.seed}, number {planned.number} ({planned.kind})"
    ids = seen.told.accepted.get(planned.number, set())
    found.require(len(ids) == 1, f"{name}: its key gave {len(ids)} tasks: {sorted(ids)}")
    for task_id in ids - stored.tasks.keys():
        found.wrong.append(f"{name}: {task_id} was accepted, and is not stored")
    for task_id in ids & stored.tasks.keys():
        again = stored.again.get(task_id, [])
        retried = {task.task_id for task in again if not task.requested_by}
        asked = seen.told.retried.get(task_id, set())
        found.require(
            retried == asked and len(retried) == (planned.kind in DONE_AGAIN),
            f"{name}: {task_id} was done again as {sorted(retried)}, its owner knows of "
            f"{sorted(asked)}",
        )


def _audit_end(found: Audit, task: Task, planned: Planned, seen: Seen, stored: Stored) -> None:
    """Require that a task is final, ended as was planned, and was redriven once at most."""
    name = f"{task.task_id} ({planned.kind})"
    found.require(task.state.final, f"{name} is {task.state} for good")
    _audit_redrive(found, task, seen, stored, name)
    if task.state is State.FAILED:
        _audit_failure(found, task, planned, name)
    elif task.state is State.CANCELLED:
        wanted = planned.kind in {Kind.CANCELLED, Kind.STOPPED}
        found.require(wanted, f"{name} was cancelled by nobody")
    else:
        never = planned.kind in NEVER_DONE or planned.kind is Kind.CANCELLED
        found.require(not never, f"{name} succeeded, and never can")
    early = seen.told.run_after.get(planned.number)
    if early is not None and task.retry_of is None and task.started_at is not None:
        found.require(task.started_at >= early, f"{name} ran {early - task.started_at} early")


def _audit_redrive(found: Audit, task: Task, seen: Seen, stored: Stored, name: str) -> None:
    """Require that a failed task is listed until another does it again, and redriven once."""
    again = {successor.task_id for successor in stored.again.get(task.task_id, [])}
    redriven = {
        successor.task_id
        for successor in stored.again.get(task.task_id, [])
        if successor.requested_by
    }
    answered = seen.told.redriven.get(task.task_id, set())
    found.require(len(redriven) <= 1, f"{name} was redriven as {sorted(redriven)}")
    found.require(
        answered == redriven, f"{name}: redriven as {redriven}, operators know of {answered}"
    )
    if task.state is not State.FAILED:
        found.require(not redriven, f"{name} was redriven, and is {task.state}")
        found.require(task.listed_at is None, f"{name} is listed, and is {task.state}")
    elif task.retried_as is None:
        found.require(task.listed_at is not None, f"{name} failed, and is not listed")
        found.require(not again, f"{name} was done again as {again}, and does not say so")
        found.require(task.retry_of is not None, f"{name} failed, and was not redriven")
    else:
        found.require(task.listed_at is None, f"{name} is done again, and listed")
        found.require(task.retried_as in again, f"{name}: there is no task {task.retried_as}")


def _audit_failure(found: Audit, task: Task, planned: Planned, name: str) -> None:
    """Require that a failure was planned, or was a crash that used up the attempts."""
    if planned.kind in PAYING:
        return  # `audit_payments` looks at these
    crashed = task.error is not None and task.error.type == CRASHED
    foreseen = planned.kind in DONE_WHEN_MENDED and task.retry_of is None
    found.require(crashed or foreseen or planned.kind in NEVER_DONE, f"{name} failed: {task.error}")


def _had_none(error: TaskError | None) -> bool:
    """Whether an attempt with this end says that it had no effect.

    One whose time was over had it before, or was still at it.
    """
    return error is None or error.type != TIMED_OUT


def _audit_effects(found: Audit, seen: Seen, chains: _Chains) -> None:
    """Require one effect of each success, none twice, and none of what says that it had none."""
    effects = Counter((effect.task_id, effect.attempt) for effect in read_effects(seen.ground))
    attempts = {str(task.task_id): task.attempts for task in chains.tasks}
    for (task_id, attempt), times in effects.items():
        found.require(times == 1, f"attempt {attempt} of {task_id} had {times} effects")
        recorded = attempt <= attempts.get(task_id, 0)
        found.require(recorded, f"attempt {attempt} of {task_id} had an effect, is not recorded")
    for task in chains.tasks:
        if chains.planned[task.task_id].kind in PAYING:
            continue
        for record in task.history:
            times = effects[task.task_id, record.number]
            succeeded = task.state is State.SUCCEEDED and record.number == task.attempts
            name = f"attempt {record.number} of {task.task_id}"
            if succeeded:
                found.require(times == 1, f"{name} succeeded with {times} effects")
            elif _had_none(record.error) and record.ended_at and task.state is not State.CANCELLED:
                found.require(not times, f"{name} ended with {record.error}, and had an effect")


def _audit_list(found: Audit, seen: Sequence[Seen], stored: Stored) -> None:
    """Require that the index, and the operators' listing of it, hold what the tasks say."""
    listed = {task.task_id for task in stored.tasks.values() if task.listed_at is not None}
    for task_id in listed ^ stored.in_view:
        found.wrong.append(f"{task_id}: listed is {task_id in listed}, the index says otherwise")
    shown = seen[0].told.listed
    for task_id in listed ^ shown:
        found.wrong.append(f"{task_id}: listed is {task_id in listed}, operators see otherwise")
    found.figures["listed"] = len(listed)


def _audit_posts(found: Audit, seen: Sequence[Seen], stored: Stored) -> None:
    """Require that the receiver was told each end that it was to be told, and no other."""
    posts: dict[str, set[str]] = {}
    for task_id, kind in seen[0].posts:
        posts.setdefault(task_id, set()).add(kind)
    for task in stored.tasks.values():
        said = posts.pop(task.task_id, set())
        wanted = {f"task.{task.state}"} if task.callback else set()
        found.require(
            said == wanted, f"the receiver was told {sorted(said)} of {task.task_id}, {task.state}"
        )
    found.require(not posts, f"the receiver was told of unknown tasks: {sorted(posts)}")


def _audit_messages(found: Audit, app: DeployedApp, stored: Stored) -> None:
    """Require of each message that the queue gave up that its task has ended. Count them."""
    box = SQSDeadLetterBox(app.aws.sqs, app.description.dead_letter_queue_url)
    messages = box.look(10_000, hide=WINDOW * 0)
    for message in messages:
        task_id = message.task_id or read_task_id(message.body)
        task = stored.tasks.get(task_id or "")
        ended = task is not None and task.state.final
        found.require(ended, f"a dead letter names {task_id}: {message.reason}, {message.error}")
    found.figures["dead_letters"] = len(messages)


def _audit_totals(found: Audit, app: DeployedApp, stored: Stored) -> None:
    """Require that the exposition's totals equal the table, by outcome."""
    exposed: Counter[str] = Counter()
    for sample in _COUNTER.finditer(app.operator.get("/metrics").raise_for_status().text):
        (outcome,) = _OUTCOME.findall(sample["labels"])
        exposed[outcome] += int(sample["value"])
    states = Counter(task.state.value for task in stored.tasks.values() if task.state.final)
    found.require(exposed == states, f"/metrics counts {exposed}, the table {states}")
