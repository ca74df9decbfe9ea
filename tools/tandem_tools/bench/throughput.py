"""Throughput from the queue to the finished task, on the deployed stack on this machine."""

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.run.stack import LocalStack

TASKS = 500
SUBMITTERS = 8
FINISHED_WITHIN_SECONDS = 180


def measure() -> dict[str, Any]:
    """Let a queue fill, then let the worker have it, and time the tasks by their own record."""
    build(machine_architecture())
    with TemporaryDirectory(prefix="stack-") as folder, LocalStack(Path(folder)) as stack:
        mapping = _worker_mapping(stack)
        _switch(stack, mapping, enabled=False)
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            task_ids = set(pool.map(lambda _: _submit(stack), range(TASKS)))
        _switch(stack, mapping, enabled=True)
        started, finished = _times(stack, task_ids)
    elapsed = (max(finished) - min(started)).total_seconds()
    return {
        "tasks": TASKS,
        "seconds": round(elapsed, 2),
        "tasks_per_second": round(TASKS / elapsed, 1),
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    tasks, seconds, rate = result["tasks"], result["seconds"], result["tasks_per_second"]
    return "\n".join(
        [
            "| queue to finished task, on one machine | tasks | seconds | tasks/s |",
            "| --- | ---: | ---: | ---: |",
            f"| `echo`, offline | {tasks} | {seconds:.1f} | {rate:.0f} |",
        ]
    )


def _worker_mapping(stack: LocalStack) -> str:
    worker = stack.description.functions["worker"]
    found = stack.aws.functions.list_event_source_mappings(FunctionName=worker)
    return found["EventSourceMappings"][0]["UUID"]


def _switch(stack: LocalStack, mapping: str, *, enabled: bool) -> None:
    stack.aws.functions.update_event_source_mapping(UUID=mapping, Enabled=enabled)


def _submit(stack: LocalStack) -> str:
    request = urllib.request.Request(  # noqa: S310 - the stack's own URL
        f"{stack.description.url}/process-offline",
        data=b'{"processor":"echo","input":{"message":"hello"}}',
        headers={
            "Authorization": f"Bearer {stack.description.token}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
        task_id: str = json.load(response)["task_id"]
        return task_id


def _times(stack: LocalStack, task_ids: set[str]) -> tuple[list[datetime], list[datetime]]:
    """Wait until all tasks have succeeded, and return when each started and finished."""
    keys = {f"task#{task_id}" for task_id in task_ids}
    deadline = time.monotonic() + FINISHED_WITHIN_SECONDS
    while True:
        time.sleep(1)
        done = [item for item in _succeeded(stack) if item["pk"]["S"] in keys]
        if len(done) == TASKS:
            break
        if time.monotonic() > deadline:
            message = f"only {len(done)} of {TASKS} tasks ran in {FINISHED_WITHIN_SECONDS} s"
            raise TimeoutError(message)
    return (
        [datetime.fromisoformat(item["started_at"]["S"]) for item in done],
        [datetime.fromisoformat(item["finished_at"]["S"]) for item in done],
    )


def _succeeded(stack: LocalStack) -> list[Any]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.description.table,
        FilterExpression="#state = :succeeded",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":succeeded": {"S": "succeeded"}},
    )
    return [item for page in pages for item in page["Items"]]
