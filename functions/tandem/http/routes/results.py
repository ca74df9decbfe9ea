"""Reading what tasks gave: the one answer that need not be JSON."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from tandem.http.dependencies import Reader, Services, TaskIdPath, owned_task
from tandem.http.headers import json_spoken
from tandem.http.problems import Problem
from tandem.http.responses import worth_asking
from tandem.limits import DOWNLOAD_LIFETIME
from tandem.tasks.task import State, StoredPayload, Task

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.get(
    "/{task_id}/result",
    operation_id="get_task_result",
    responses={
        200: {"content": {"application/json": {"schema": {}}}, "description": "The output."},
        303: {"description": "Where to download a large output, or the file that is the result."},
        404: {"description": "There is no such task."},
        409: {"description": "The task has not finished, or ended without a result."},
    },
)
async def get_task_result(
    task_id: TaskIdPath, caller: Reader, services: Services, request: Request
) -> Response:
    """Answer with the output of a task that succeeded, or with where to download it."""
    task = owned_task(task_id, caller, services)
    result = task.file or task.output
    if result is None:
        raise _no_result(task, services.clock.now())
    if isinstance(result, StoredPayload):
        name = result.key.rpartition("/")[2]
        url = services.blobs.download_url(result.key, lifetime=DOWNLOAD_LIFETIME, filename=name)
        return RedirectResponse(url, HTTPStatus.SEE_OTHER)
    await json_spoken(request)
    return Response(result.text, media_type="application/json")


def _no_result(task: Task, now: datetime) -> Problem:
    if not task.state.final:
        return Problem(
            HTTPStatus.CONFLICT,
            "task-not-finished",
            f"The task is {task.state}.",
            headers={"Retry-After": "1"} | worth_asking(task, now),
            task_id=task.task_id,
        )
    detail = f"The task was {task.state}."
    if task.state is State.FAILED and task.error is not None:
        detail = f"The task failed. {task.error.type}: {task.error.message}"
    return Problem(HTTPStatus.CONFLICT, "task-has-no-result", detail, task_id=task.task_id)
