"""The worker: its own cost of a record, its threads, its AWS calls, and what size of batch pays."""

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import batched
from pathlib import Path
from typing import Any

from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.clock import SystemClock
from tandem_tools.bench import cases, loops
from tandem_tools.bench.bars import Bar
from tandem_tools.bench.process import VALGRIND, Running, program_cost, program_output, running
from tandem_tools.harness.function import Function
from tandem_tools.harness.resources import Resources
from tandem_tools.harness.tasks import make_task
from tandem_tools.harness.wire import Wire, wire_to
from tandem_tools.paths import BUILD, PROJECT

PROGRAM = str(Path(loops.__file__))
RUNS = 30 if VALGRIND else 300
ROUNDS = 5
"""How often what swings is measured. The median is taken."""
THREADS = 16
CALLED_TASKS = 100
TASKS = 100
SIZES = ((1, 5), (5, 5), (10, 5), (10, 10), (25, 5), (100, 16))
"""Messages in a batch, and threads of the pool."""
TEMPLATE_BATCH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table of batch sizes."""

    batch: int
    threads: int
    cpu_milliseconds: float
    tasks_per_second: float


def measure() -> dict[str, Any]:
    """Measure all of it."""
    own, hand = _per_record()
    return {
        "unit": "thousand instructions" if VALGRIND else "CPU µs",
        "own": own,
        "hand": hand,
        "pool_over_sequential": _pool_over_sequential(),
        "calls": _calls(),
        "rows": [asdict(row) for row in _sizes()],
    }


def table(result: dict[str, Any]) -> str:
    """Return the results as Markdown tables."""
    calls = ", ".join(f"`{name}` {count:g}" for name, count in result["calls"].items())
    unit, own, hand = result["unit"], result["own"], result["hand"]
    sooner = result["pool_over_sequential"]
    lines = [
        "| the worker | |",
        "| --- | ---: |",
        f"| own cost of a record, {unit} (by hand) | {own:,.1f} ({hand:,.1f}) |",
        f"| 100 waits of 5 ms: pool of {THREADS} over one after the other | {sooner:.1f} x |",
        f"| AWS calls for each task, submit to result | {calls} |",
        "",
        "| messages in a batch | threads | CPU ms a task | tasks/s of one worker |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for row in result["rows"]:
        cpu, rate = row["cpu_milliseconds"], row["tasks_per_second"]
        lines.append(f"| {row['batch']} | {row['threads']} | {cpu:.2f} | {rate:.0f} |")
    return "\n".join(lines)


def bars(result: dict[str, Any]) -> list[Bar]:
    """Return the worker's bars."""
    return [
        Bar.at_most(
            "worker: own cost of a record over a loop by hand (n = 100)",
            1.35,
            result["own"] / result["hand"],
        ),
        Bar.at_least(
            f"worker: pool of {THREADS} on 5 ms waits over sequential",
            10,
            result["pool_over_sequential"],
        ),
        Bar.at_most(
            "AWS calls for each task, submit to result", 4.2, sum(result["calls"].values())
        ),
    ]


def _worker() -> Function:
    return Function(folder=BUILD / "WorkerFunction", handler="tandem.handlers.worker.handler")


def _per_record() -> tuple[float, float]:
    """Return what a record costs by the worker and by hand: many runs less none."""

    def cost(kind: str, runs: int) -> float:
        return program_cost(_worker(), PROGRAM, kind, str(runs))

    if VALGRIND is None:
        rounds = [(cost("own", RUNS), cost("hand", RUNS)) for _ in range(ROUNDS)]
        own, hand = (statistics.median(side) * 1e6 for side in zip(*rounds, strict=True))
    else:
        with ThreadPoolExecutor(2) as pool:
            none, *both = pool.map(cost, ("own", "own", "hand"), (0, RUNS, RUNS))
        own, hand = ((side - none) * 1e3 for side in both)
    return round(own / RUNS / loops.RECORDS, 2), round(hand / RUNS / loops.RECORDS, 2)


def _pool_over_sequential() -> float:
    """Return how much sooner the pool is done than a loop, in pairs of runs."""

    def seconds(kind: str) -> float:
        return float(program_output(_worker(), PROGRAM, kind, str(THREADS)))

    return round(
        statistics.median(seconds("sequential") / seconds("pool") for _ in range(ROUNDS)), 2
    )


def _calls() -> dict[str, float]:
    """Return the calls that the functions send for a task, from its submit to its end."""
    with cases.resources() as made, wire_to(made.aws.endpoint_url) as wire:
        with _started(made, "ApiFunction", wire) as api:
            for _ in range(CALLED_TASKS):
                cases.post_offline(made)(api)
        with _started(made, "WorkerFunction", wire) as worker:
            for batch in batched(_received(made), TEMPLATE_BATCH, strict=False):
                _run(worker, list(batch))
        counts = Counter(wire.taken())
    return {name: count / CALLED_TASKS for name, count in sorted(counts.items())}


@contextmanager
def _started(made: Resources, name: str, wire: Wire | None = None) -> Iterator[Running]:
    function = made.function(name)
    if wire is not None:
        environment = {**function.environment, "AWS_ENDPOINT_URL": wire.url}
        function = replace(function, environment=environment)
    with running(function) as process:
        yield process


def _received(made: Resources) -> Iterator[dict[str, Any]]:
    """Take all messages, as the event source mapping does, and return their records."""
    while messages := made.aws.sqs.receive_message(
        QueueUrl=made.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        for message in messages:
            yield _record(message["MessageId"], message["Body"], message["ReceiptHandle"])


def _record(message_id: str, body: str, receipt_handle: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((PROJECT / "events" / "sqs-batch.json").read_text())[
        "Records"
    ][0]
    return record | {"messageId": message_id, "body": body, "receiptHandle": receipt_handle}


def _run(worker: Running, records: list[dict[str, Any]]) -> None:
    answer = worker.invoke({"Records": records})
    if answer != {"batchItemFailures": []}:
        raise cases.WrongAnswer(answer)


def _sizes() -> Iterator[Row]:
    with cases.resources() as made:
        for batch, threads in SIZES:
            function = made.function("WorkerFunction")
            environment = {**function.environment, "THREAD_POOL_SIZE": str(threads)}
            with running(replace(function, environment=environment)) as process:
                _spent(process, _tasks(made, 2 * batch), batch)
                cpu, wall = _spent(process, _tasks(made, TASKS), batch)
            yield Row(
                batch=batch,
                threads=threads,
                cpu_milliseconds=round(cpu / TASKS * 1e3, 3),
                tasks_per_second=round(TASKS / wall, 1),
            )


def _spent(process: Running, records: list[dict[str, Any]], batch: int) -> tuple[float, float]:
    """Run records in batches, and return the CPU time and the time that it took."""
    cpu, wall = process.cpu_seconds(), time.perf_counter()
    for some in batched(records, batch, strict=False):
        _run(process, list(some))
    return process.cpu_seconds() - cpu, time.perf_counter() - wall


def _tasks(made: Resources, number: int) -> list[dict[str, Any]]:
    """Record tasks, and return the records of their messages."""
    environment = made.function("WorkerFunction").environment
    store = DynamoDBTaskStore(
        made.aws.dynamodb, made.table, shards=int(environment["INDEX_SHARDS"])
    )
    tasks = [make_task(SystemClock().now()) for _ in range(number)]
    for task in tasks:
        store.put(task)
    return [
        _record(f"message-{index}", json.dumps({"task_id": task.task_id}), "none")
        for index, task in enumerate(tasks)
    ]
