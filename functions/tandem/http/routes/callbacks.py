"""The routes for receivers of callbacks: their keys, and the body that they are sent."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from tandem.callbacks.signing import key_text
from tandem.http.dependencies import Services, Writer
from tandem.http.headers import JSON_SPOKEN
from tandem.http.problems import Problem
from tandem.secrets import SecretsError
from tandem.tasks.views import TaskEvent
from tandem.telemetry import logger

router = APIRouter(tags=["callbacks"], dependencies=[JSON_SPOKEN])

webhooks = APIRouter()
"""What the API sends: it is in the OpenAPI document, and answers nothing."""


class CallbackKey(BaseModel):
    """A key that the tenant's callbacks are signed with."""

    use: Literal["current", "previous"]
    key: str = Field(description="As libraries for Standard Webhooks take it.")


class CallbackKeys(BaseModel):
    """The keys of the tenant: every callback is signed with each of them."""

    keys: list[CallbackKey]


@router.get("/callback-keys", operation_id="list_callback_keys")
async def list_callback_keys(
    caller: Writer, services: Services, response: Response
) -> CallbackKeys:
    """Answer with the keys that callbacks to the caller are signed with.

    Verify with either. After a rotation there are two: replace the previous one with the current.
    """
    try:
        current, *previous = services.webhook_keys.of(caller.tenant)
    except SecretsError as error:
        logger.error("callback keys not read", reason=str(error))
        detail = "The keys cannot be read now; try again later."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail) from None
    response.headers["Cache-Control"] = "no-store"
    keys = [CallbackKey(use="current", key=key_text(current))]
    keys += [CallbackKey(use="previous", key=key_text(key)) for key in previous]
    return CallbackKeys(keys=keys)


@webhooks.post(
    "task-ended",
    operation_id="task_ended",
    status_code=HTTPStatus.NO_CONTENT,
    tags=["callbacks"],
    response_description="It was taken; any 2xx says so.",
    responses={
        410: {"description": "The receiver is gone: it is not sent again."},
        "default": {"description": "It was not taken: it is sent again, later and later."},
    },
)
async def task_ended(event: TaskEvent) -> None:
    """Tell a task's `callback_url` that the task has ended, signed as Standard Webhooks says.

    The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` come with it.
    """
    del event
