"""Submitting one task, online or offline."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from api import answers
from api.idempotency import REPLAYED, IdempotencyKey, same_request
from api.identity import Writer
from api.models import Accepted, ProcessedOnline
from api.negotiation import JSON_SPOKEN
from api.prefer import WaitSeconds, applied, ended
from api.problems import invalid
from api.services import Services
from api.strict_json import StrictJsonRoute
from api.submission import AnySubmission
from api.submitting import (
    answered,
    check_callback_url,
    check_run_after,
    check_uploads_last,
    enqueue,
    gone,
    kept_result,
    key_in_flight,
    made_before,
    new_task,
    take_quota,
)
from api.time_left import within_time_left
from tandem.domain.task import Mode, State, Task
from tandem.ports import Contended, KeyUsed
from tandem.services.online import Promoted
from tandem.services.outcomes import Failed, Succeeded
from tandem.services.tasks import NoSuchTask

router = APIRouter(tags=["processing"], route_class=StrictJsonRoute, dependencies=[JSON_SPOKEN])

ENQUEUED = "Task enqueued for offline processing"
CONTINUED = "Task continues offline"
_KEPT = ("age", "idempotency-replayed", "preference-applied")

_TASK_ENDED: dict[int | str, dict[str, Any]] = {
    303: {"description": "Where its output is: it is large, or a file."},
    409: {"description": "The key's request is in flight, or its task was cancelled."},
    410: {"description": "The task made under the key, or waited for, is gone."},
    422: {"description": "The request is not valid, or the task failed on its input."},
    500: {"description": "The task failed, or something went wrong on our side."},
}


@router.post(
    "/process-online",
    operation_id="process_online",
    responses={
        200: {"model": ProcessedOnline, "description": "Its output."},
        202: {"model": Accepted, "description": "It takes longer, and goes on offline."},
        **_TASK_ENDED,
    },
)
async def process_online(
    body: AnySubmission, caller: Writer, services: Services, request: Request, once: IdempotencyKey
) -> Response:
    """Run the processor now and answer with its output.

    When the time budget runs out, the task goes on offline: 202, with its `Location`.
    """
    if body.run_after is not None:
        raise invalid("/body/run_after", "An online task runs now.")
    online = services.catalogue[body.processor].online
    if online == "never":
        detail = f"{body.processor} runs offline only: send it to /process-offline."
        raise invalid("/body/processor", detail)
    check_callback_url(body.callback_url, "/body/callback_url", services)
    take_quota(services, caller.tenant)
    new = new_task(body, caller, services, request, once)
    kept = kept_result(new, services, request)
    budget = within_time_left(request, services.settings.online_budget_seconds)
    try:
        task = answered(new, Mode.ONLINE, kept, services)
        if kept is not None and task is not None and task.output is not None:
            output = services.payloads.read(task.output)
            return answers.processed(task, output, answers.age_of(kept, services.clock.now()))
        if online == "wait":
            task = services.submissions.waited_for(new)
            return await _answer_by(services, task, budget)
        answer = await services.online.process(new, body.input, budget_seconds=budget)
    except KeyUsed as used:
        return _answer_online_again(services, same_request(once, used.before))
    except Contended:
        raise key_in_flight() from None
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
    responses={
        200: {"model": ProcessedOnline, "description": "It ended while the caller waited."},
        202: {"model": Accepted, "description": "It is queued."},
        **_TASK_ENDED,
    },
)
async def process_offline(
    body: AnySubmission,
    caller: Writer,
    services: Services,
    request: Request,
    once: IdempotencyKey,
    wait_seconds: WaitSeconds,
) -> Response:
    """Queue the task for the worker, and answer with where to follow it.

    With `Prefer: wait=N` the answer is its output when it ends within N seconds.
    """
    check_run_after(body.run_after, "/body/run_after", services)
    check_uploads_last(body, caller, "/body/run_after", services)
    check_callback_url(body.callback_url, "/body/callback_url", services)
    new = new_task(body, caller, services, request, once)
    accepted = enqueue(new, services, ENQUEUED, kept_result(new, services, request))
    if not wait_seconds:
        return accepted
    return await _ended_or(accepted, services, wait_seconds)


async def _ended_or(accepted: Response, services: Services, wait_seconds: float) -> Response:
    """Return the output of the task that was accepted when it ends in time; else as before."""
    task_id = accepted.headers["location"].rpartition("/")[2]
    task = await _ended(services, made_before(services, task_id), wait_seconds)
    accepted.headers.update(applied(wait_seconds))
    if not task.state.final:
        return accepted
    kept = {name: accepted.headers[name] for name in _KEPT if name in accepted.headers}
    if task.output is None:
        raise answers.failed(task, task.error, kept)
    output = services.payloads.read(task.output)
    return answers.processed(task, output, kept, message=answers.OFFLINE)


def _answer_online_again(services: Services, task_id: str) -> Response:
    """Return the answer that the key's task has by now."""
    task = made_before(services, task_id)
    if task.state is State.RUNNING and task.attempts == 1:
        raise key_in_flight(task_id=task.task_id)
    services.submissions.found(task)
    return _answer_online(services, task, REPLAYED)


async def _answer_by(services: Services, task: Task, wait_seconds: float) -> Response:
    """Return the answer of a task that the worker runs: its end, or where to follow it."""
    return _answer_online(services, await _ended(services, task, wait_seconds))


async def _ended(services: Services, task: Task, wait_seconds: float) -> Task:
    """Return the task as soon as it is final, or as it is after the wait, or answer 410."""
    try:
        return await ended(services, task, wait_seconds)
    except NoSuchTask:
        raise gone("The task was deleted while the request waited for its end.") from None


def _answer_online(
    services: Services, task: Task, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer that a task has by now."""
    if not task.state.final:
        return answers.accepted(task, CONTINUED, headers)
    if task.output is None:
        raise answers.failed(task, task.error, headers)
    return answers.processed(task, services.payloads.read(task.output), headers)
