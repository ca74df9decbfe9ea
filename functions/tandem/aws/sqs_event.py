"""The events of Lambda's SQS event source, and the response to them.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Iterable
from typing import Any, TypedDict

from tandem.messages import Delivery


class ItemFailure(TypedDict):
    """A message that the queue must deliver again."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """The function's answer: what is not in it, Lambda deletes from the queue."""

    batchItemFailures: list[ItemFailure]


def read_deliveries(event: dict[str, Any]) -> list[Delivery]:
    """Return the messages of an SQS event."""
    return [_read(record) for record in event["Records"]]


def answer(again: Iterable[Delivery]) -> BatchAnswer:
    """Return the answer that brings these messages back."""
    return {"batchItemFailures": [{"itemIdentifier": delivery.message_id} for delivery in again]}


def _read(record: dict[str, Any]) -> Delivery:
    traceparent = record["messageAttributes"].get("traceparent")
    return Delivery(
        message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        body=record["body"],
        receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        traceparent=traceparent and traceparent.get("stringValue"),
    )
