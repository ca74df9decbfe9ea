"""The `Prefer: wait=N` header: how long a caller would wait for a task to end (RFC 7240)."""

import asyncio
import re
from typing import Annotated

from fastapi import Depends, Header, Request

from api.services import Services
from api.time_left import within_time_left
from tandem.domain.task import Task
from tandem.limits import PREFER_WAIT_SECONDS

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
_FIRST_LOOK_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0


async def _wait_seconds(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(max_length=256, description="`wait=N`: wait up to N seconds for the task's end."),
    ] = None,
) -> float:
    """Return how long to wait: what is asked for, at most what the function has time for."""
    asked = _WAIT.search(prefer or "")
    if asked is None:
        return 0
    return within_time_left(request, min(float(asked[1]), PREFER_WAIT_SECONDS))


WaitSeconds = Annotated[float, Depends(_wait_seconds)]


def applied(wait_seconds: float) -> dict[str, str]:
    """Return the header that says that the wish was granted; nothing without one."""
    return {"Preference-Applied": f"wait={wait_seconds:g}"} if wait_seconds else {}


async def ended(services: Services, task: Task, wait_seconds: float) -> Task:
    """Return the task as soon as it is final, or as it is after the wait."""
    clock = asyncio.get_running_loop()
    until = clock.time() + wait_seconds
    pause = _FIRST_LOOK_SECONDS
    while not task.state.final and (left := until - clock.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        task = services.store.get(task.task_id) or task
    return task
