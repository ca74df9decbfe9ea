"""Submitting one task, online or offline."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from tandem.contended import Contended
from tandem.http import responses
from tandem.http.dependencies import Services, Writer, within_time_left
from tandem.http.headers import JSON_SPOKEN
from tandem.http.models import Accepted, ProcessedOnline
from tandem.http.problems import invalid
from tandem.http.strict_json import StrictJsonRoute
from tandem.http.submission import (
    REPLAYED,
    AnySubmission,
    Enqueued,
    IdempotencyHeader,
    WaitSeconds,
    answered,
    applied,
    check_callback_url,
    check_run_after,
    check_uploads_last,
    ended,
    enqueue,
    gone,
    kept_output,
    kept_result,
    key_in_flight,
    made_before,
    new_task,
    same_request,
    take_quota,
)
from tandem.tasks.actions import NoSuchTask
from tandem.tasks.online import Answered
from tandem.tasks.outcomes import Succeeded
from tandem.tasks.store import KeyUsed
from tandem.tasks.task import Mode, State, Task

router = APIRouter(tags=["processing"], route_class=StrictJsonRoute, dependencies=[JSON_SPOKEN])

ENQUEUED = "Task enqueued for offline processing"
CONTINUED = "Task continues offline"

_TASK_ENDED: dict[int | str, dict[str, Any]] = {
    303: {"description": "Where its output is: it is large, or a file."},
    409: {"description": "The key's request is in flight, or its task was cancelled."},
    410: {"description": "The task made under the key, or waited for, is gone."},
    413: {"description": "The body is, or its uploads are, too large."},
    422: {"description": "The request is not valid, or the task failed on its input."},
    500: {"description": "The task failed, or something went wrong on our side."},
}


@router.post(
    "/process-online",
    operation_id="process_online",
    responses={
        200: {"model": ProcessedOnline, "description": "Its output."},
        202: {
            "model": Accepted,
            "description": "It takes longer, or more room, than the API has, or is tried again "
            "later: it goes on offline.",
        },
        **_TASK_ENDED,
    },
)
async def process_online(
    body: AnySubmission,
    caller: Writer,
    services: Services,
    request: Request,
    once: IdempotencyHeader,
) -> Response:
    """Run the processor now and answer with its output.

    When the time budget runs out, or its uploads are larger than the API takes and the worker
    takes them, the task goes on offline: 202, with its `Location`. It does so too when its
    processor says when to try again. A processor may be run by the worker alone while the request
    waits, or offline only (`GET /processors`).
    """
    if body.run_after is not None:
        raise invalid("/body/run_after", "An online task runs now.")
    online = services.catalogue[body.processor].online
    if online == "never":
        detail = f"{body.processor} runs offline only: send it to /process-offline."
        raise invalid("/body/processor", detail)
    check_callback_url(body.callback_url, "/body/callback_url", services)
    take_quota(services, caller.tenant)
    new = new_task(body, caller, services, request, once, online=True)
    kept = kept_output(new, services, request)
    budget = within_time_left(request, services.settings.online_budget_seconds)
    try:
        if kept is not None and (task := answered(new, Mode.ONLINE, kept[0], services)):
            result, output = kept
            return responses.processed(task, output, responses.age_of(result, services.clock.now()))
        if online == "wait":
            task = services.submissions.waited_for(new)
            return _answer_online(services, await _ended(services, task, budget))
        answer = await services.online.process(new, body.input, budget_seconds=budget)
    except KeyUsed as used:
        task = made_before(services, same_request(once, used.before))
        services.submissions.found(task)
        if online == "wait":
            task = await _ended(services, task, budget)
        elif _in_flight(task, services.clock.now()):
            raise key_in_flight(task_id=task.task_id) from None
        return _answer_online(services, task, REPLAYED)
    except Contended:
        raise key_in_flight() from None
    if isinstance(answer, Answered) and isinstance(answer.outcome, Succeeded):
        return responses.processed(answer.task, answer.outcome.output)
    return _answer_online(services, answer.task)


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
    once: IdempotencyHeader,
    wait_seconds: WaitSeconds,
) -> Response:
    """Queue the task for the worker, and answer with where to follow it.

    With `Prefer: wait=N` the answer is its output when it ends within N seconds.
    """
    check_run_after(body.run_after, "/body/run_after", services)
    check_uploads_last(body, caller, "/body/run_after", services)
    check_callback_url(body.callback_url, "/body/callback_url", services)
    new = new_task(body, caller, services, request, once)
    enqueued = enqueue(new, services, ENQUEUED, kept_result(new, services, request))
    if not wait_seconds:
        return enqueued.accepted()
    return await _ended_or(enqueued, services, wait_seconds)


async def _ended_or(enqueued: Enqueued, services: Services, wait_seconds: float) -> Response:
    """Return the answer of the task when it ends in time. Else where to follow it."""
    task = await _ended(services, enqueued.task, wait_seconds)
    headers = enqueued.headers | applied(wait_seconds)
    if task.state.final:
        return responses.ended(task, services.payloads, headers, message=responses.OFFLINE)
    asking = responses.worth_asking(task, services.clock.now())
    return responses.accepted(task, enqueued.message, asking | headers)


def _in_flight(task: Task, now: datetime) -> bool:
    """Return whether the request that made an online task still runs it, as far as can be known.

    Its attempt is the task's first. When its process died, nobody writes that: its lease ends.
    """
    leased = task.lease_until is not None and task.lease_until > now
    return task.state is State.RUNNING and task.attempts == 1 and leased


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
        asking = responses.worth_asking(task, services.clock.now())
        return responses.accepted(task, CONTINUED, asking | (headers or {}))
    return responses.ended(task, services.payloads, headers)
