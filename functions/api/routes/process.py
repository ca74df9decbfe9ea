"""Submitting work: online, offline, and the demonstration task."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from api.identity import Caller, Writer
from api.models import Accepted, ProcessedOnline, TaskView
from api.problems import Problem
from api.services import Services
from api.submission import AnySubmission
from tandem.domain.retry import Permanent
from tandem.domain.task import Task, TaskError
from tandem.limits import SETTLE_SECONDS
from tandem.processing.processor import AnyProcessor
from tandem.services.execute import Succeeded
from tandem.services.online import Promoted

router = APIRouter(tags=["processing"])

_POLL_SECONDS = "1"


@router.post(
    "/process-online",
    operation_id="process_online",
    responses={200: {"model": ProcessedOnline}, 202: {"model": Accepted}},
)
async def process_online(
    body: AnySubmission, caller: Writer, services: Services, request: Request
) -> Response:
    """Run the processor now and answer with its output.

    When the time budget runs out, the task goes on offline: 202, with its `Location`.
    """
    answer = await services.online.process(
        caller.tenant,
        services.catalogue[body.processor],
        body.input,
        body.document(),
        budget_seconds=_budget(request, services),
        traceparent=request.state.traceparent,
    )
    if isinstance(answer, Promoted):
        return _accepted(answer.task, "Task continues offline")
    if not isinstance(answer.outcome, Succeeded):
        raise _failed(answer.task, answer.outcome.error)
    return _processed(answer.task, answer.outcome.output)


@router.post(
    "/process-offline",
    operation_id="process_offline",
    status_code=HTTPStatus.ACCEPTED,
    responses={202: {"model": Accepted}},
)
async def process_offline(
    body: AnySubmission, caller: Writer, services: Services, request: Request
) -> Response:
    """Queue the task for the worker, and answer with where to follow it."""
    processor = services.catalogue[body.processor]
    return _enqueue(
        services,
        caller,
        request,
        processor,
        body.document(),
        message="Task enqueued for offline processing",
    )


@router.get(
    "/heavy-task",
    operation_id="start_heavy_task",
    status_code=HTTPStatus.ACCEPTED,
    responses={202: {"model": Accepted}},
)
async def start_heavy_task(
    caller: Writer,
    services: Services,
    request: Request,
    blocks: Annotated[int, Query(ge=1, le=256)] = 32,
    block_mb: Annotated[int, Query(ge=1, le=16)] = 4,
) -> Response:
    """Queue a `checksum-files` task over generated blocks: work to watch."""
    processor = services.catalogue["checksum-files"]
    document: BaseModel = processor.input(blocks=blocks, block_mb=block_mb)
    return _enqueue(
        services,
        caller,
        request,
        processor,
        document.model_dump_json(exclude_unset=True).encode(),
        message="Task is running",
    )


def _enqueue(
    services: Services,
    caller: Caller,
    request: Request,
    processor: AnyProcessor,
    document: bytes,
    *,
    message: str,
) -> Response:
    traceparent = request.state.traceparent
    task = services.submissions.offline(caller.tenant, processor, document, traceparent=traceparent)
    return _accepted(task, message)


def _budget(request: Request, services: Services) -> float:
    """Return how long an answer may take, in seconds: never longer than the function has."""
    budget = services.settings.online_budget_seconds
    context = request.scope.get("aws.context")
    if context is None:
        return budget
    remaining: float = context.get_remaining_time_in_millis() / 1000
    return max(min(budget, remaining - SETTLE_SECONDS), 0.0)


def _accepted(task: Task, message: str) -> Response:
    accepted = Accepted(message=message, task_id=task.task_id, task=TaskView.of(task))
    return Response(
        accepted.model_dump_json(),
        HTTPStatus.ACCEPTED,
        {"Location": f"/tasks/{task.task_id}", "Retry-After": _POLL_SECONDS},
        "application/json",
    )


def _processed(task: Task, output: bytes) -> Response:
    """Return the answer around an output that is JSON already: it is not parsed again."""
    run = (task.finished_at or task.created_at) - task.created_at
    head = ProcessedOnline(
        message="Processed online",
        task_id=task.task_id,
        processor=task.processor,
        duration_ms=round(run.total_seconds() * 1000),
        output=None,
    ).model_dump_json(exclude={"output"})
    content = b'%s,"output":%s}' % (head[:-1].encode(), output)
    return Response(
        content, HTTPStatus.OK, {"Location": f"/tasks/{task.task_id}"}, "application/json"
    )


def _failed(task: Task, error: TaskError) -> Problem:
    permanent = error.type in {Permanent.__name__, "ValidationError"}
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY if permanent else HTTPStatus.INTERNAL_SERVER_ERROR,
        "task-failed",
        f"{error.type}: {error.message}",
        task_id=task.task_id,
    )
