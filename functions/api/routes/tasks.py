"""Reading tasks and their results."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import answers
from api.etag import etag_of, matches
from api.idempotency import REPLAYED, IdempotencyKey, same_request
from api.identity import Caller, Reader, Writer
from api.models import Accepted, TaskDetail, TaskList, TaskView
from api.prefer import WaitSeconds, applied, ended
from api.problems import Problem, not_found
from api.services import Services
from api.submitting import take_quota
from tandem.domain.ids import TaskId, parse_uuid
from tandem.domain.task import State, StoredPayload, Task
from tandem.limits import DOWNLOAD_LIFETIME, PAGE_TASKS
from tandem.ports import KeyUsed, TaskFilter
from tandem.services.tasks import (
    AlreadyFinished,
    InputGone,
    NoSuchTask,
    NotFinished,
    ProcessorGone,
)

router = APIRouter(prefix="/tasks", tags=["tasks"])

AGAIN = "Task enqueued again"

TaskIdPath = Annotated[str, Path(description="A task's id.", max_length=64)]


@router.get("", operation_id="list_tasks")
async def list_tasks(
    caller: Reader,
    services: Services,
    state: State | None = None,
    processor: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_TASKS)] = 20,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> TaskList:
    """Answer with the caller's tasks, newest first."""
    wanted = TaskFilter(state=state, processor=processor)
    page = services.tasks.list(caller.tenant, wanted, limit=limit, cursor=cursor)
    return TaskList(tasks=[TaskView.of(task) for task in page.tasks], next_cursor=page.next_cursor)


@router.get(
    "/{task_id}",
    operation_id="get_task",
    responses={200: {"model": TaskDetail}, 304: {"description": "It is as If-None-Match says."}},
)
async def get_task(
    task_id: TaskIdPath,
    caller: Reader,
    services: Services,
    wait_seconds: WaitSeconds,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """Answer with one task and its attempts; with `Prefer: wait=N`, as soon as it has ended."""
    task = await ended(services, _owned(task_id, caller, services), wait_seconds)
    document = TaskDetail.of(task).model_dump_json()
    headers = {"ETag": etag_of(document), "Cache-Control": "no-cache", **applied(wait_seconds)}
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(document, headers=headers, media_type="application/json")


@router.post(
    "/{task_id}/cancel",
    operation_id="cancel_task",
    responses={202: {"model": TaskDetail, "description": "It runs, and was asked to stop."}},
)
async def cancel_task(
    task_id: TaskIdPath, caller: Writer, services: Services, response: Response
) -> TaskDetail:
    """Cancel a queued task at once; ask a running one to stop when it next looks."""
    owned = _owned(task_id, caller, services)
    try:
        task = services.tasks.cancel(caller.tenant, owned.task_id)
    except AlreadyFinished as finished:
        raise Problem(
            HTTPStatus.CONFLICT,
            "task-finished",
            f"The task {finished.task.state} before, and never changes.",
            task_id=owned.task_id,
        ) from None
    if not task.state.final:
        response.status_code = HTTPStatus.ACCEPTED
    return TaskDetail.of(task)


@router.post(
    "/{task_id}/retry",
    operation_id="retry_task",
    status_code=HTTPStatus.ACCEPTED,
    responses={202: {"model": Accepted}},
)
async def retry_task(
    task_id: TaskIdPath, caller: Writer, services: Services, request: Request, once: IdempotencyKey
) -> Response:
    """Do a finished task again, as a new task that is linked to it."""
    owned = _owned(task_id, caller, services)
    take_quota(services, caller.tenant)
    try:
        task = services.tasks.again(owned, traceparent=request.state.traceparent, once=once)
    except NotFinished:
        detail = f"The task is {owned.state}: only a finished one is done again."
        raise Problem(
            HTTPStatus.CONFLICT, "task-not-finished", detail, task_id=owned.task_id
        ) from None
    except ProcessorGone:
        detail = f"There is no processor {owned.processor} any more."
        raise Problem(HTTPStatus.CONFLICT, "processor-gone", detail) from None
    except InputGone:
        detail = "The task's input has expired: submit it anew."
        raise Problem(HTTPStatus.GONE, "input-gone", detail, task_id=owned.task_id) from None
    except KeyUsed as used:
        made = _owned(same_request(once, used.before), caller, services)
        return answers.accepted(made, AGAIN, REPLAYED)
    return answers.accepted(task, AGAIN)


@router.get(
    "/{task_id}/result",
    operation_id="get_task_result",
    responses={
        200: {"content": {"application/json": {"schema": {}}}, "description": "The output."},
        303: {"description": "Where to download a large output, or the file that is the result."},
    },
)
async def get_task_result(task_id: TaskIdPath, caller: Reader, services: Services) -> Response:
    """Answer with the output of a task that succeeded, or with where to download it."""
    task = _owned(task_id, caller, services)
    result = task.file or task.output
    if result is None:
        raise _no_result(task)
    if isinstance(result, StoredPayload):
        name = result.key.rpartition("/")[2]
        url = services.blobs.download_url(result.key, lifetime=DOWNLOAD_LIFETIME, filename=name)
        return RedirectResponse(url, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    return Response(result.text, media_type="application/json")


def _owned(task_id: str, caller: Caller, services: Services) -> Task:
    """Return the caller's task; another tenant's is as if it were not there."""
    known = parse_uuid(task_id)
    if known is None:
        raise not_found("task")
    try:
        return services.tasks.get(caller.tenant, TaskId(known))
    except NoSuchTask:
        raise not_found("task") from None


def _no_result(task: Task) -> Problem:
    if not task.state.final:
        return Problem(
            HTTPStatus.CONFLICT,
            "task-not-finished",
            f"The task is {task.state}.",
            headers={"Retry-After": "1"},
            task_id=task.task_id,
        )
    detail = f"The task was {task.state}."
    if task.error is not None:
        detail = f"The task failed. {task.error.type}: {task.error.message}"
    return Problem(HTTPStatus.CONFLICT, "task-has-no-result", detail, task_id=task.task_id)
