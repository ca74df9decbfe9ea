"""The queue, and the worker's inbox, on SQS."""

import json
import math
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

from tandem.ids import TaskId
from tandem.messages import MAX_DELAY, Envelope, QueueDepth
from tandem.text import storable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_MAX_VISIBILITY_SECONDS = 12 * 60 * 60
ATTRIBUTE_CHARACTERS = 1000
_BODY_CHARACTERS = 50_000
"""Of four bytes at most, so that a dead letter fits into 256 KB with its attributes. A longer body
is none of ours, and names no task."""
_BATCH_MESSAGES = 10


class SQSTaskQueue:
    """Sends each task as a message that holds its id and the trace it belongs to."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, *envelopes: Envelope) -> list[TaskId]:
        """Send tasks to the worker, ten to a call, and return those that could not be sent.

        A call that SQS refuses loses its ten, and no others. When all are lost, it is raised.
        """
        if len(envelopes) == 1:
            self._client.send_message(QueueUrl=self._queue_url, **_message(envelopes[0]))
            return []
        lost: list[TaskId] = []
        refusal: Exception | None = None
        for batch in batched(envelopes, _BATCH_MESSAGES, strict=False):
            entries: list[Any] = [
                _message(envelope) | {"Id": str(index)} for index, envelope in enumerate(batch)
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            except self._client.exceptions.ClientError as error:
                refusal = error
                lost += [envelope.task_id for envelope in batch]
                continue
            failed = answer.get("Failed", [])
            lost += [batch[int(entry["Id"])].task_id for entry in failed]
        if refusal is not None and len(lost) == len(envelopes):
            raise refusal
        return lost

    def depth(self) -> QueueDepth:
        """Return about how many messages there are: SQS counts approximately."""
        return depth_of(self._client, self._queue_url)


def depth_of(client: "SQSClient", queue_url: str) -> QueueDepth:
    """Return about how many messages a queue holds."""
    answer = client.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ],
    )
    counts = {name: int(text) for name, text in answer["Attributes"].items()}
    return QueueDepth(
        waiting=counts["ApproximateNumberOfMessages"],
        delayed=counts["ApproximateNumberOfMessagesDelayed"],
        in_flight=counts["ApproximateNumberOfMessagesNotVisible"],
    )


def _message(envelope: Envelope) -> Any:
    """Return the message of a task, in the fair-queue group of its tenant.

    A group id on a standard queue keeps one tenant's backlog from delaying the others':
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """
    message: dict[str, Any] = {
        "MessageBody": json.dumps({"task_id": envelope.task_id}),
        "MessageGroupId": envelope.tenant,  # Never ran on AWS: the queue's fairness
    }
    if envelope.traceparent:
        message["MessageAttributes"] = {"traceparent": _text(envelope.traceparent)}
    if envelope.delay:
        message["DelaySeconds"] = math.ceil(min(envelope.delay, MAX_DELAY).total_seconds())
    return message


class SQSInbox:
    """What becomes of the messages that the worker was given."""

    def __init__(self, client: "SQSClient", queue_url: str, dead_letter_queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url

    def acknowledge(self, *receipt_handles: str) -> int:
        """Delete messages, ten to a call, and return how many SQS could not delete."""
        lost = 0
        for batch in batched(receipt_handles, _BATCH_MESSAGES, strict=False):
            entries: list[Any] = [
                {"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(batch)
            ]
            answer = self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            lost += len(answer.get("Failed", []))
        return lost

    def postpone(self, receipt_handle: str, delay: timedelta) -> None:
        """Hide the message for this long, in whole seconds rounded up, 12 hours at most."""
        seconds = min(math.ceil(delay.total_seconds()), _MAX_VISIBILITY_SECONDS)
        self._client.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )

    def dead_letter(
        self, body: str, *, message_id: str, reason: str, error: str, task_id: TaskId | None
    ) -> None:
        """Send a copy of the message to the dead-letter queue, saying why in its attributes.

        A body that is too long for a message with attributes is cut.
        """
        attributes = {
            "reason": _text(reason),
            "error": _text(error),
            "message_id": _text(message_id),
        }
        if task_id is not None:
            attributes["task_id"] = _text(task_id)
        self._client.send_message(
            QueueUrl=self._dead_letter_queue_url,
            MessageBody=storable(body, _BODY_CHARACTERS) or "-",  # SQS refuses an empty body
            MessageAttributes=attributes,
        )


def _text(value: str) -> "MessageAttributeValueTypeDef":
    # SQS refuses an empty value.
    return {"DataType": "String", "StringValue": storable(value, ATTRIBUTE_CHARACTERS) or "-"}
