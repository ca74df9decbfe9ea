"""The canary's events, each as AWS would send it."""

import json
from typing import Any
from uuid import uuid4

TENANT = "canary"
"""Whose tasks those of the canary are."""

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
NO_MESSAGES: dict[str, Any] = {"Records": []}

_HOST = "canary.invalid"


def http_request(
    method: str, path: str, *, tenant_claim: str = "", body: Any = None
) -> dict[str, Any]:
    """Return a request as the HTTP API passes it on, payload format 2.0.

    Args:
        method: of the request.
        path: of the request.
        tenant_claim: the claim that names the tenant. Without it the request has no token.
        body: sent as JSON.
    """
    claims = {tenant_claim: TENANT, "scope": "tasks:read tasks:write", "token_use": "access"}
    authorizer = {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": _HOST},
        "requestContext": {
            "domainName": _HOST,
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": TENANT,
            },
            "requestId": str(uuid4()),
            "stage": "$default",
        }
        | (authorizer if tenant_claim else {}),
        "isBase64Encoded": False,
    } | ({} if body is None else {"body": json.dumps(body)})


def task_message(task_id: str) -> dict[str, Any]:
    """Return the event of one message that names a task, delivered for the first time.

    Its receipt handle is none of the queue's: the worker can do with it all but hide the message.
    """
    message_id = str(uuid4())
    return {
        "Records": [
            {
                "messageId": message_id,
                "receiptHandle": message_id,
                "body": json.dumps({"task_id": task_id}),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
        ]
    }
