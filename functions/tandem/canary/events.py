"""The canary's events, each as AWS would send it."""

import json
from typing import Any
from uuid import uuid4

from tandem.lambda_events import http_event, sqs_record

TENANT = "canary"
"""Whose tasks those of the canary are."""

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
NO_MESSAGES: dict[str, Any] = {"Records": []}

_HOST = "canary.invalid"


def http_request(
    method: str, path: str, *, tenant_claim: str = "", body: Any = None
) -> dict[str, Any]:
    """Return a request as the HTTP API passes it on.

    Args:
        method: of the request.
        path: of the request.
        tenant_claim: the claim that names the tenant. Without it the request has no token.
        body: sent as JSON.
    """
    return http_event(
        method,
        path,
        body,
        tenant=TENANT if tenant_claim else None,
        tenant_claims=(tenant_claim,),
        scopes=("tasks:read", "tasks:write"),
        scope_prefix="",
        host=_HOST,
        request_id=str(uuid4()),
    )


def task_message(task_id: str) -> dict[str, Any]:
    """Return the event of one message that names a task, delivered for the first time.

    Its receipt handle is none of the queue's: the worker can do with it all but hide the message.
    """
    return {"Records": [sqs_record(json.dumps({"task_id": task_id}), message_id=str(uuid4()))]}
