"""Reading tasks and their results."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import RedirectResponse

from api.identity import Caller, Reader
from api.models import TaskList, TaskView
from api.problems import Problem, not_found
from api.services import Services
from tandem.domain.ids import TaskId, parse_uuid
from tandem.domain.task import State, StoredPayload, Task
from tandem.limits import DOWNLOAD_LIFETIME, PAGE_TASKS
from tandem.ports import TaskFilter

router = APIRouter(prefix="/tasks", tags=["tasks"])

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
    page = services.store.list(caller.tenant, wanted, limit=limit, cursor=cursor)
    return TaskList(tasks=[TaskView.of(task) for task in page.tasks], next_cursor=page.next_cursor)


@router.get("/{task_id}", operation_id="get_task")
async def get_task(task_id: TaskIdPath, caller: Reader, services: Services) -> TaskView:
    """Answer with one task."""
    return TaskView.of(_owned(task_id, caller, services))


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
    task = services.store.get(TaskId(known)) if known else None
    if task is None or task.tenant != caller.tenant:
        raise not_found("task")
    return task


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
