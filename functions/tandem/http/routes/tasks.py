"""Reading, cancelling, deleting and repeating tasks."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tandem.contended import Contended
from tandem.cursor import CURSOR_CHARACTERS, CursorInvalid
from tandem.http import responses
from tandem.http.dependencies import Reader, Services, TaskIdPath, Writer, owned_task
from tandem.http.headers import JSON_SPOKEN, NOT_MODIFIED, IfNoneMatch, tagged
from tandem.http.models import Accepted, TaskDetail, TaskList
from tandem.http.problems import Problem, invalid, not_found
from tandem.http.submission import (
    REPLAYED,
    IdempotencyHeader,
    WaitSeconds,
    applied,
    ended,
    key_in_flight,
    made_before,
    same_request,
    take_quota,
)
from tandem.limits import PAGE_TASKS
from tandem.tasks.actions import AlreadyFinished, InputGone, NoSuchTask, NotFinished, ProcessorGone
from tandem.tasks.store import AlreadyRetried, ChangeRefused, KeyUsed, TaskFilter
from tandem.tasks.task import State
from tandem.tasks.views import TaskView

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[JSON_SPOKEN])

AGAIN = "Task enqueued again"


@router.get("", operation_id="list_tasks")
async def list_tasks(
    caller: Reader,
    services: Services,
    state: State | None = None,
    processor: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_TASKS)] = 20,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARACTERS)] = None,
) -> TaskList:
    """Answer with the caller's tasks, newest first."""
    wanted = TaskFilter(state=state, processor=processor)
    try:
        page = services.tasks.list(caller.tenant, wanted, limit=limit, cursor=cursor)
    except CursorInvalid:
        raise invalid("/query/cursor", "It is not the next_cursor of a page.") from None
    return TaskList(tasks=[TaskView.of(task) for task in page.tasks], next_cursor=page.next_cursor)


@router.get(
    "/{task_id}",
    operation_id="get_task",
    responses={
        200: {"model": TaskDetail},
        304: NOT_MODIFIED,
        404: {"description": "There is no such task."},
    },
)
async def get_task(
    task_id: TaskIdPath,
    caller: Reader,
    services: Services,
    wait_seconds: WaitSeconds,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Answer with one task and its attempts. With `Prefer: wait=N`, as soon as it has ended."""
    try:
        task = await ended(services, owned_task(task_id, caller, services), wait_seconds)
    except NoSuchTask:
        raise not_found("task") from None
    return tagged(TaskDetail.of(task).model_dump_json(), if_none_match, applied(wait_seconds))


@router.delete(
    "/{task_id}",
    operation_id="delete_task",
    status_code=HTTPStatus.NO_CONTENT,
    responses={
        204: {"description": "It is deleted."},
        404: {"description": "There is no such task."},
        409: {"description": "The task has not finished."},
    },
)
async def delete_task(task_id: TaskIdPath, caller: Writer, services: Services) -> None:
    """Delete a finished task with its input, output and files, but not its uploads.

    Reports count it all the same. Its callback is not sent any more.
    """
    owned = owned_task(task_id, caller, services)
    try:
        services.deletions.delete(owned)
    except ChangeRefused as refused:
        if refused.task is None:
            raise not_found("task") from None
        detail = f"The task is {refused.task.state}: only a finished one is deleted."
        raise Problem(
            HTTPStatus.CONFLICT, "task-not-finished", detail, task_id=owned.task_id
        ) from None


@router.post(
    "/{task_id}/cancel",
    operation_id="cancel_task",
    responses={
        200: {"description": "It was queued, and is cancelled."},
        202: {"model": TaskDetail, "description": "It runs, and was asked to stop."},
        404: {"description": "There is no such task."},
        409: {"description": "The task has finished."},
    },
)
async def cancel_task(
    task_id: TaskIdPath, caller: Writer, services: Services, response: Response
) -> TaskDetail:
    """Cancel a queued task at once. Ask a running one to stop when it next looks."""
    owned = owned_task(task_id, caller, services)
    try:
        task = services.tasks.cancel(caller.tenant, owned.task_id)
    except NoSuchTask:
        raise not_found("task") from None
    except AlreadyFinished as finished:
        raise Problem(
            HTTPStatus.CONFLICT,
            "task-finished",
            f"The task has {finished.task.state} already, and cannot be cancelled.",
            task_id=owned.task_id,
        ) from None
    if not task.state.final:
        response.status_code = HTTPStatus.ACCEPTED
    return TaskDetail.of(task)


@router.post(
    "/{task_id}/retry",
    operation_id="retry_task",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: {"model": Accepted, "description": "The new task is queued."},
        404: {"description": "There is no such task."},
        409: {"description": "The task has not finished, or its processor is gone."},
        410: {"description": "The task's input, or the task made under the key, is gone."},
    },
)
async def retry_task(
    task_id: TaskIdPath,
    caller: Writer,
    services: Services,
    request: Request,
    once: IdempotencyHeader,
) -> Response:
    """Do a finished task again, as a new task that is linked to it."""
    owned = owned_task(task_id, caller, services)
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
        raise Problem(
            HTTPStatus.CONFLICT, "processor-gone", detail, task_id=owned.task_id
        ) from None
    except InputGone:
        detail = "The task's input has expired: submit it anew."
        raise Problem(HTTPStatus.GONE, "input-gone", detail, task_id=owned.task_id) from None
    except Contended:
        if once is None:
            raise
        raise key_in_flight() from None
    except AlreadyRetried:
        raise not_found("task") from None
    except KeyUsed as used:
        made = made_before(services, same_request(once, used.before))
        return responses.accepted(made, AGAIN, REPLAYED)
    return responses.accepted(task, AGAIN)
