"""Answers that several routes give."""

import math
from datetime import datetime
from http import HTTPStatus
from os import environ

from fastapi import Response

from tandem.http.models import Accepted, ProcessedOnline
from tandem.http.problems import Problem
from tandem.limits import ANSWER_BYTES
from tandem.tasks.payloads import Payloads
from tandem.tasks.results import CachedResult
from tandem.tasks.task import State, StoredPayload, Task
from tandem.tasks.views import TaskView
from tandem.telemetry import logger
from tandem.tenants.quota import QuotaExceeded
from tandem.trace import described

_POLL_SECONDS = "1"
ONLINE = "Processed online"
OFFLINE = "Processed offline"


def accepted(task: Task, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return that a task runs offline, and where to follow it."""
    document = Accepted(message=message, task_id=task.task_id, task=TaskView.of(task))
    return Response(
        document.model_dump_json(),
        HTTPStatus.ACCEPTED,
        {
            "Location": f"/tasks/{task.task_id}",
            "Retry-After": _POLL_SECONDS,
            **(headers or {}),
        },
        "application/json",
    )


def worth_asking(task: Task, now: datetime) -> dict[str, str]:
    """Return when a task that waits for its time is worth asking for. Nothing for any other."""
    if task.state is not State.QUEUED or task.not_before is None or task.not_before <= now:
        return {}
    return {"Retry-After": str(math.ceil((task.not_before - now).total_seconds()))}


def processed(
    task: Task, output: bytes, headers: dict[str, str] | None = None, *, message: str = ONLINE
) -> Response:
    """Return the answer around an output that is JSON already: it is not parsed again.

    One that is too large for Lambda's response is a redirect to the task's result.
    """
    if len(output) > ANSWER_BYTES:
        return _at_its_place(task, headers)
    run = (task.finished_at or task.created_at) - task.created_at
    head = ProcessedOnline(
        message=message,
        task_id=task.task_id,
        processor=task.processor,
        duration_ms=round(run.total_seconds() * 1000),
        output=None,
    ).model_dump_json(exclude={"output"})
    content = b'%s,"output":%s}' % (head[:-1].encode(), output)
    return Response(
        content,
        HTTPStatus.OK,
        {"Location": f"/tasks/{task.task_id}", **(headers or {})},
        "application/json",
    )


def ended(
    task: Task, payloads: Payloads, headers: dict[str, str] | None = None, *, message: str = ONLINE
) -> Response:
    """Return the answer of a task that is final, from what is recorded of it.

    Raises:
        Problem: it ended without an output.
    """
    output = task.output
    if output is None:
        raise failed(task, headers)
    if isinstance(output, StoredPayload) and output.size_bytes > ANSWER_BYTES:
        return _at_its_place(task, headers)
    try:
        document = payloads.read(output)
    except Exception as error:  # noqa: BLE001 - the task has succeeded: the caller may read it later
        logger.warning("output not read", task_id=task.task_id, **described(error))
        return _at_its_place(task, headers)
    return processed(task, document, headers, message=message)


def _at_its_place(task: Task, headers: dict[str, str] | None) -> Response:
    """Return where the task's output is."""
    place = {"Location": f"/tasks/{task.task_id}/result", **(headers or {})}
    return Response(status_code=HTTPStatus.SEE_OTHER, headers=place)


def age_of(result: CachedResult, now: datetime) -> dict[str, str]:
    """Return how old a kept result is (RFC 9111, section 5.1)."""
    return {"Age": str(max(int((now - result.made_at).total_seconds()), 0))}


def failed(task: Task, headers: dict[str, str] | None = None) -> Problem:
    """Return the problem of a task that ended without an output.

    It is the caller's fault or, with 500, the processor's, as was decided when the task failed.
    """
    error = task.error if task.state is State.FAILED else None
    if error is None:
        detail = f"The task was {task.state}."
        return Problem(
            HTTPStatus.CONFLICT, "task-cancelled", detail, headers=headers, task_id=task.task_id
        )
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if not error.callers:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        _count_fault()
    return Problem(
        status,
        "task-failed",
        f"{error.type}: {error.message}",
        headers=headers,
        task_id=task.task_id,
    )


def _count_fault() -> None:
    """Emit that a processor's fault is answered with 500: no reason to take a release back."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    try:
        metrics = EphemeralMetrics(
            namespace=environ.get("POWERTOOLS_METRICS_NAMESPACE") or "Tandem"
        )
        metrics.add_metric("ProcessorFaults", MetricUnit.Count, 1)
        metrics.flush_metrics()
    except Exception as error:  # noqa: BLE001 - a number that is missing must not be an answer
        logger.warning("fault not counted", **described(error))


def over_quota(exceeded: QuotaExceeded) -> Problem:
    """Return the problem of a tenant that must wait."""
    seconds = max(math.ceil(exceeded.retry_after.total_seconds()), 1)
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "quota-exceeded",
        f"The tenant's quota of tasks is used up for {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )
