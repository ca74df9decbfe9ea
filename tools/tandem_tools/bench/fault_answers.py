"""Errors as the AWS services word them, for a proxy that answers in their place."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tandem_tools.bench.fault_plan import Decision, Fault

_JSON = "application/x-amz-json-1.0"
_SAID = "injected by the fault plan"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response that the proxy makes up."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def to_bytes(self, *, with_body: bool = True) -> bytes:
        """Return it as it is sent. Without the body for HEAD."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"content-type: {self.content_type}",
            f"content-length: {len(self.body)}",
            "x-amzn-requestid: injected",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + (self.body if with_body else b"")


def refusal(operation: str, decision: Decision, body: bytes) -> Answer:
    """Return the answer of a call whose fault is an error.

    Args:
        operation: the service and the call, as `dynamodb.PutItem`.
        decision: a throttle, an error or a conflict.
        body: of the request. A cancelled transaction has a reason for each of its items.
    """
    if decision.fault in (Fault.CONFLICT, Fault.CONFLICT_AFTER):
        return _conflict(operation, decision, body)
    service = operation.partition(".")[0]
    if decision.fault is Fault.THROTTLE:
        return _throttled(service, decision)
    return _failed(service)


def batch_answer(body: bytes, failed_id: str) -> Answer:
    """Return an SQS batch's answer in which one entry is reported as failed.

    Args:
        body: the answer as SQS gave it.
        failed_id: the entry. It may be among the successful ones, or in neither list.
    """
    answer: dict[str, Any] = json.loads(body or b"{}")
    answer["Successful"] = [
        entry for entry in answer.get("Successful", []) if entry["Id"] != failed_id
    ]
    failure = {"Id": failed_id, "SenderFault": False, "Code": "InternalError", "Message": _SAID}
    answer["Failed"] = [*answer.get("Failed", []), failure]
    return Answer(200, _JSON, json.dumps(answer).encode())


def _throttled(service: str, decision: Decision) -> Answer:
    if service == "s3":
        return _s3(503, "SlowDown")
    if service == "sns":
        return _query(400, "Throttling")
    if service == "sqs":
        return _json(400, "com.amazonaws.sqs#RequestThrottled")
    if service == "dynamodb":
        codes = ("ThrottlingException", "ProvisionedThroughputExceededException")
        code = codes[int(decision.choice * len(codes))]
        return _json(400, f"com.amazonaws.dynamodb.v20120810#{code}")
    return _json(400, "ThrottlingException")


def _failed(service: str) -> Answer:
    if service == "s3":
        return _s3(500, "InternalError")
    if service == "sns":
        return _query(500, "InternalFailure")
    if service == "dynamodb":
        return _json(500, "com.amazonaws.dynamodb.v20120810#InternalServerError")
    return _json(500, "InternalFailure")


def _conflict(operation: str, decision: Decision, body: bytes) -> Answer:
    if operation != "dynamodb.TransactWriteItems":
        return _json(400, "com.amazonaws.dynamodb.v20120810#TransactionConflictException")
    items = len(json.loads(body)["TransactItems"])
    met = int(decision.choice * items)
    codes = ["TransactionConflict" if index == met else "None" for index in range(items)]
    return _json(
        400,
        "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        message="Transaction cancelled, please refer cancellation reasons for specific reasons "
        f"[{', '.join(codes)}]",
        CancellationReasons=[
            {"Code": code} | ({"Message": _SAID} if code != "None" else {}) for code in codes
        ],
    )


def _json(status: int, kind: str, message: str = _SAID, **more: Any) -> Answer:
    body = json.dumps({"__type": kind, "message": message} | more).encode()
    code = kind.rpartition("#")[2]
    sender = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
    return Answer(status, _JSON, body, (("x-amzn-query-error", f"{code};{sender}"),))


def _s3(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{_SAID}</Message></Error>"
    return Answer(status, "application/xml", body.encode())


def _query(status: int, code: str) -> Answer:
    error = f"<Error><Code>{code}</Code><Message>{_SAID}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>injected</RequestId></ErrorResponse>"
    return Answer(status, "text/xml", body.encode())
