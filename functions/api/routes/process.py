"""Submitting work: online, offline, many at once, and the demonstration task."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api import answers
from api.idempotency import REPLAYED, IdempotencyKey, part_of, same_request
from api.identity import Caller, Writer
from api.models import Accepted, BatchAnswer, BatchItem, ProcessedOnline, TaskView
from api.problems import Problem
from api.services import Services
from api.submission import AnySubmission, Submission
from tandem.domain.ids import TaskId
from tandem.domain.task import State, Task
from tandem.limits import BATCH_TASKS, RUN_AFTER, SETTLE_SECONDS
from tandem.ports import KeyUsed, Once
from tandem.services.online import Promoted
from tandem.services.outcomes import Failed, Succeeded
from tandem.services.quota import QuotaExceeded
from tandem.services.submit import NewTask

router = APIRouter(tags=["processing"])

ENQUEUED = "Task enqueued for offline processing"
RUNNING = "Task is running"
CONTINUED = "Task continues offline"


@router.post(
    "/process-online",
    operation_id="process_online",
    responses={200: {"model": ProcessedOnline}, 202: {"model": Accepted}},
)
async def process_online(
    body: AnySubmission, caller: Writer, services: Services, request: Request, once: IdempotencyKey
) -> Response:
    """Run the processor now and answer with its output.

    When the time budget runs out, the task goes on offline: 202, with its `Location`.
    """
    if body.run_after is not None:
        raise _invalid("/body/run_after", "An online task runs now.")
    _take_quota(services, caller, 1)
    new = _new_task(body, caller, services, request, once)
    try:
        answer = await services.online.process(
            new, body.input, budget_seconds=_budget(request, services)
        )
    except KeyUsed as used:
        return _answer_online_again(services, same_request(once, used.before))
    if isinstance(answer, Promoted):
        return answers.accepted(answer.task, CONTINUED)
    if isinstance(answer.outcome, Succeeded):
        return answers.processed(answer.task, answer.outcome.output)
    error = answer.outcome.error if isinstance(answer.outcome, Failed) else None
    raise answers.failed(answer.task, error)


@router.post(
    "/process-offline",
    operation_id="process_offline",
    status_code=HTTPStatus.ACCEPTED,
    responses={202: {"model": Accepted}},
)
async def process_offline(
    body: AnySubmission, caller: Writer, services: Services, request: Request, once: IdempotencyKey
) -> Response:
    """Queue the task for the worker, and answer with where to follow it."""
    _check_run_after(body.run_after, "/body/run_after", services)
    return _enqueue(_new_task(body, caller, services, request, once), services, ENQUEUED)


class Batch(BaseModel):
    """Several tasks to queue in one call."""

    tasks: list[AnySubmission] = Field(min_length=1, max_length=BATCH_TASKS)


@router.post(
    "/process-offline/batch",
    operation_id="process_offline_batch",
    status_code=HTTPStatus.ACCEPTED,
    responses={207: {"model": BatchAnswer, "description": "Some tasks were not recorded."}},
)
async def process_offline_batch(
    body: Batch,
    caller: Writer,
    services: Services,
    request: Request,
    response: Response,
    once: IdempotencyKey,
) -> BatchAnswer:
    """Queue many tasks; each item says what became of it. A body that is not valid queues none."""
    for index, one in enumerate(body.tasks):
        _check_run_after(one.run_after, f"/body/tasks/{index}/run_after", services)
    _take_quota(services, caller, len(body.tasks))
    news = [
        _new_task(one, caller, services, request, part_of(once, index))
        for index, one in enumerate(body.tasks)
    ]
    outcomes = services.submissions.offline_many(news)
    items = [
        _batch_item(services, new, outcome) for new, outcome in zip(news, outcomes, strict=True)
    ]
    if any(item.task is None for item in items):
        response.status_code = HTTPStatus.MULTI_STATUS
    return BatchAnswer(items=items)


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
    asked: BaseModel = processor.input(blocks=blocks, block_mb=block_mb)
    new = NewTask(
        tenant=caller.tenant,
        processor=processor,
        document=asked.model_dump_json(exclude_unset=True).encode(),
        traceparent=request.state.traceparent,
    )
    return _enqueue(new, services, RUNNING)


def _new_task(
    body: Submission, caller: Caller, services: Services, request: Request, once: Once | None
) -> NewTask:
    return NewTask(
        tenant=caller.tenant,
        processor=services.catalogue[body.processor],
        document=body.document(),
        traceparent=request.state.traceparent,
        once=once,
        run_after=body.run_after,
    )


def _enqueue(new: NewTask, services: Services, message: str) -> Response:
    try:
        services.quota.take(new.tenant)
        return answers.accepted(services.submissions.offline(new), message)
    except QuotaExceeded as exceeded:
        raise answers.over_quota(exceeded) from None
    except KeyUsed as used:
        task = _made(services, same_request(new.once, used.before))
        return answers.accepted(task, message, REPLAYED)


def _take_quota(services: Services, caller: Caller, tasks: int) -> None:
    try:
        services.quota.take(caller.tenant, tasks)
    except QuotaExceeded as exceeded:
        raise answers.over_quota(exceeded) from None


def _made(services: Services, task_id: str) -> Task:
    task = services.store.get(TaskId(task_id))
    if task is None:
        raise Problem(HTTPStatus.GONE, "task-expired", "The task made under the key has expired.")
    return task


def _answer_online_again(services: Services, task_id: str) -> Response:
    """Return the answer that the key's task has by now."""
    task = _made(services, task_id)
    if task.state is State.RUNNING:
        raise Problem(
            HTTPStatus.CONFLICT,
            "idempotency-key-in-flight",
            "The request with this Idempotency-Key is being processed.",
            headers={"Retry-After": "1"},
            task_id=task.task_id,
        )
    if task.state is State.QUEUED:
        return answers.accepted(task, CONTINUED, REPLAYED)
    if task.output is None:
        raise answers.failed(task, task.error)
    return answers.processed(task, services.payloads.read(task.output), REPLAYED)


def _batch_item(services: Services, new: NewTask, outcome: Task | Exception) -> BatchItem:
    if isinstance(outcome, Task):
        return BatchItem(task=TaskView.of(outcome))
    if isinstance(outcome, KeyUsed):
        try:
            task = _made(services, same_request(new.once, outcome.before))
        except Problem as problem:
            return BatchItem(error=problem.detail)
        return BatchItem(task=TaskView.of(task), replayed=True)
    return BatchItem(error="The task could not be recorded; submit it again.")


def _check_run_after(run_after: datetime | None, pointer: str, services: Services) -> None:
    if run_after is not None and run_after > services.clock.now() + RUN_AFTER:
        raise _invalid(pointer, f"It is more than {RUN_AFTER.days} days ahead.")


def _invalid(pointer: str, detail: str) -> Problem:
    errors: list[dict[str, Any]] = [{"pointer": pointer, "detail": detail}]
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-request",
        "The request is not valid: see errors.",
        errors=errors,
    )


def _budget(request: Request, services: Services) -> float:
    """Return how long an answer may take, in seconds: never longer than the function has."""
    budget = services.settings.online_budget_seconds
    context = request.scope.get("aws.context")
    if context is None:
        return budget
    remaining: float = context.get_remaining_time_in_millis() / 1000
    return max(min(budget, remaining - SETTLE_SECONDS), 0.0)
