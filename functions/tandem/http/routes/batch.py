"""Submitting many tasks in one call."""

from datetime import datetime, timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from tandem.contended import Contended
from tandem.http.dependencies import Services, Writer, within_time_left
from tandem.http.headers import JSON_SPOKEN
from tandem.http.models import BatchAnswer, BatchItem
from tandem.http.problems import Problem
from tandem.http.strict_json import StrictJsonRoute
from tandem.http.submission import (
    AnySubmission,
    IdempotencyHeader,
    check_callback_url,
    check_run_after,
    check_uploads_last,
    key_in_flight,
    made_before,
    new_task,
    part_of,
    same_request,
    take_quota,
)
from tandem.limits import BATCH_SECONDS, BATCH_SEND_SECONDS, BATCH_TASKS
from tandem.tasks.store import KeyUsed
from tandem.tasks.submit import NewTask, OutOfTime
from tandem.tasks.task import Task
from tandem.tasks.views import TaskView
from tandem.telemetry import logger
from tandem.trace import described

router = APIRouter(tags=["processing"], route_class=StrictJsonRoute, dependencies=[JSON_SPOKEN])


class Batch(BaseModel):
    """Several tasks to queue in one call."""

    tasks: list[AnySubmission] = Field(min_length=1, max_length=BATCH_TASKS)


@router.post(
    "/process-offline/batch",
    operation_id="process_offline_batch",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: {"description": "All are queued."},
        207: {"model": BatchAnswer, "description": "Some tasks were not recorded."},
    },
)
async def process_offline_batch(
    body: Batch,
    caller: Writer,
    services: Services,
    request: Request,
    response: Response,
    once: IdempotencyHeader,
) -> BatchAnswer:
    """Queue many tasks. Each item says what became of it. A body that is not valid queues none."""
    for index, submission in enumerate(body.tasks):
        check_run_after(submission.run_after, f"/body/tasks/{index}/run_after", services)
        check_callback_url(submission.callback_url, f"/body/tasks/{index}/callback_url", services)
    services.pool.map(
        lambda index: check_uploads_last(
            body.tasks[index], caller, f"/body/tasks/{index}/run_after", services
        ),
        range(len(body.tasks)),
    )
    take_quota(services, caller.tenant, len(body.tasks))
    now = services.clock.now()
    until = now + timedelta(seconds=within_time_left(request, BATCH_SECONDS))
    whole = within_time_left(request, BATCH_SECONDS + BATCH_SEND_SECONDS)
    answer_from = now + timedelta(seconds=whole)

    def submit(index: int) -> NewTask | Exception:
        if services.clock.now() >= until:
            return OutOfTime()
        try:
            return new_task(body.tasks[index], caller, services, request, part_of(once, index))
        except Exception as error:  # noqa: BLE001 - one task's failure is not its batch's
            return error

    news = services.pool.map(submit, range(len(body.tasks)))
    outcomes = services.submissions.offline_many(news, until=until, send_until=answer_from)
    if late := sum(isinstance(outcome, OutOfTime) for outcome in outcomes):
        logger.error("no time left to record", tasks=late)
    pairs = list(zip(news, outcomes, strict=True))
    before = services.pool.map(lambda pair: _before(services, *pair, until=answer_from), pairs)
    replayed = [task for task in before if isinstance(task, Task)]
    services.submissions.found(*replayed, until=answer_from)
    items = [
        BatchItem(task=TaskView.of(task), replayed=True)
        if isinstance(task, Task)
        else _batch_item(task or outcome)
        for task, outcome in zip(before, outcomes, strict=True)
    ]
    if any(item.task is None for item in items):
        response.status_code = HTTPStatus.MULTI_STATUS
    return BatchAnswer(items=items)


def _before(
    services: Services, new: NewTask | Exception, outcome: Task | Exception, *, until: datetime
) -> Task | Exception | None:
    """Return the task that an item's key made before, or why there is none. Else None."""
    if not (isinstance(outcome, KeyUsed) and isinstance(new, NewTask)):
        return None
    if services.clock.now() >= until:
        return OutOfTime()
    try:
        return made_before(services, same_request(new.once, outcome.before))
    except Exception as error:  # noqa: BLE001 - one task's failure is not its batch's
        return error


def _batch_item(outcome: Task | Exception) -> BatchItem:
    if isinstance(outcome, Task):
        return BatchItem(task=TaskView.of(outcome))
    if isinstance(outcome, OutOfTime):
        return BatchItem(error="There was no time left for the task; submit it again.")
    if isinstance(outcome, Contended):
        outcome = key_in_flight()
    if isinstance(outcome, Problem):
        return BatchItem(error=outcome.detail)
    logger.error("not submitted", **described(outcome))
    return BatchItem(error="The task could not be recorded; submit it again.")
