"""Lambda's events as AWS sends them: for the canary, the rehearsal of a snapshot, and tests."""

import json
from typing import Any

SCOPES = ("tasks:read", "tasks:write", "reports:read")


def http_event(
    method: str,
    path: str,
    body: Any = None,
    *,
    tenant: str | None = "acme",
    scopes: tuple[str, ...] = SCOPES,
    query: str = "",
    headers: dict[str, str] | None = None,
    tenant_claims: tuple[str, ...] = ("sub", "client_id"),
    scope_prefix: str = "tandem/",
    host: str = "api.test",
    request_id: str = "request-1",
) -> dict[str, Any]:
    """Return an HTTP API event, payload format 2.0, as the JWT authorizer lets it through.

    Args:
        method: of the request.
        path: of the request.
        body: sent as JSON, or as it is when it is a text.
        tenant: whose token it has. None for a request without a token.
        scopes: of the token.
        query: the query string.
        headers: beside content-type and host.
        tenant_claims: the claims that name the tenant.
        scope_prefix: what the issuer puts before a scope.
        host: the API's name.
        request_id: API Gateway's.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    claims = dict.fromkeys(tenant_claims, tenant) | {
        "scope": " ".join(f"{scope_prefix}{scope}" for scope in scopes),
        "token_use": "access",
    }
    authorizer = {"jwt": {"claims": claims, "scopes": None}}
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json", "host": host} | (headers or {}),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": host,
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": request_id,
            "stage": "$default",
            "time": "01/Jan/2026:12:00:00 +0000",
            "timeEpoch": 1767268800000,
        }
        | ({"authorizer": authorizer} if tenant else {}),
        **({"body": text} if text is not None else {}),
        "isBase64Encoded": False,
    }


def sqs_record(
    body: str, *, message_id: str = "m1", receive_count: int = 1, traceparent: str | None = None
) -> dict[str, Any]:
    """Return one record of an SQS event."""
    attributes = {}
    if traceparent:
        attributes["traceparent"] = {"stringValue": traceparent, "dataType": "String"}
    return {
        "messageId": message_id,
        "receiptHandle": message_id,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": "1767268800000",
            "SenderId": "AROA:api",
            "ApproximateFirstReceiveTimestamp": "1767268800001",
        },
        "messageAttributes": attributes,
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:tasks",
        "awsRegion": "eu-central-1",
    }


class LambdaContextStub:
    """What Lambda gives beside the event."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:function"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    log_group_name = "/aws/lambda/function"
    log_stream_name = "stream"
    function_version = "$LATEST"

    def __init__(self, remaining_seconds: float = 29) -> None:
        self.remaining_seconds = remaining_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return what Lambda says of the time that is left, in milliseconds."""
        return int(self.remaining_seconds * 1000)
