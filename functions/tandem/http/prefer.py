"""The `Prefer: wait=N` header: how long a caller would wait for a task to end (RFC 7240)."""

import asyncio
import re
from typing import Annotated

from fastapi import Depends, Header, Request

from tandem.http.services import Services, within_time_left
from tandem.limits import PREFER_WAIT_SECONDS
from tandem.tasks.actions import NoSuchTask
from tandem.tasks.task import Task
from tandem.telemetry import logger
from tandem.trace import described

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_ELEMENT = re.compile(rf'(?:[^",]|{_QUOTED}|")++')
"""What stands between commas. A comma in a quoted text parts nothing."""
_PREFERENCE = re.compile(rf"\s*({_WORD})\s*(?:=\s*({_WORD}|{_QUOTED})?\s*)?(?:;.*)?")
"""A name, its value, and parameters, which belong to that preference alone."""
_PREFER_CHARACTERS = 1024
_SECONDS_DIGITS = 9
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
    del prefer  # it is the first header of that name, and here to be documented
    asked = wait_of(",".join(request.headers.getlist("prefer")))
    return within_time_left(request, min(asked, PREFER_WAIT_SECONDS)) if asked else 0


def wait_of(prefer: str) -> int:
    """Return how many seconds a Prefer header asks to wait. 0 when it asks for nothing or for 0.

    Of several `wait` the first counts (RFC 7240, section 2), and one that is no number is passed
    over, like all that is not known. More seconds than 999,999,999 are as many as these.
    """
    for element in _ELEMENT.findall(prefer) if len(prefer) <= _PREFER_CHARACTERS else ():
        preference = _PREFERENCE.fullmatch(element)
        if preference and preference[1].lower() == "wait":
            return _seconds(preference[2] or "")
    return 0


def _seconds(value: str) -> int:
    digits = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    if not (digits.isascii() and digits.isdigit()):
        return 0
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _SECONDS_DIGITS else 999_999_999


WaitSeconds = Annotated[float, Depends(_wait_seconds)]


def applied(wait_seconds: float) -> dict[str, str]:
    """Return the header that says that the wish was granted. Nothing without one."""
    return {"Preference-Applied": f"wait={wait_seconds:g}"} if wait_seconds else {}


async def ended(services: Services, task: Task, wait_seconds: float) -> Task:
    """Return the task as soon as it is final, or as it is after the wait.

    Raises:
        NoSuchTask: it was deleted meanwhile.
    """
    clock = asyncio.get_running_loop()
    until = clock.time() + wait_seconds
    pause = _FIRST_LOOK_SECONDS
    while not task.state.final and (left := until - clock.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        task = _looked_at(services, task)
    return task


def _looked_at(services: Services, task: Task) -> Task:
    """Return the task as it is now or, when that cannot be read, as it was.

    Raises:
        NoSuchTask: it was deleted.
    """
    try:
        seen = services.store.get(task.task_id)
    except Exception as error:  # noqa: BLE001 - the task is recorded: its caller waits on
        logger.warning("task not looked at", task_id=task.task_id, **described(error))
        return task
    if seen is None:
        raise NoSuchTask
    return seen
