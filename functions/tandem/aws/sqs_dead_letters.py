"""The dead-letter queue on SQS."""

from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING

from tandem.aws.sqs import ATTRIBUTE_CHARACTERS, depth_of
from tandem.ids import TaskId, parse_uuid
from tandem.messages import DeadLetter
from tandem.text import storable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_PER_CALL = 10
_WHILE_LOOKING = timedelta(seconds=10)
"""Hidden for so long while the rest is collected: else a call shows the same ones again."""
_IDLE_CALLS = 3
"""SQS asks a sample of its servers: only several empty or stale answers mean the end."""

UNHANDLED = "unhandled"
"""The reason of a message that the queue's redrive policy moved: the worker never said one."""


class SQSDeadLetterBox:
    """Reads and removes dead letters."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def look(self, limit: int, *, hide: timedelta) -> list[DeadLetter]:
        """Return up to `limit` dead letters, hidden from other readers for this long."""
        found: dict[str, DeadLetter] = {}
        idle = 0
        while len(found) < limit and idle < _IDLE_CALLS:
            before = len(found)
            answer = self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=min(_PER_CALL, limit - len(found)),
                VisibilityTimeout=int(max(hide, _WHILE_LOOKING).total_seconds()),
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            for message in answer.get("Messages", []):
                found[message["MessageId"]] = _letter(message)
            idle = idle + 1 if len(found) == before else 0
        letters = list(found.values())
        if not hide:
            self._show(letters)
        return letters

    def count(self) -> int:
        """Return about how many letters there are."""
        return depth_of(self._client, self._queue_url).waiting

    def _show(self, letters: list[DeadLetter]) -> None:
        for batch in batched(letters, _PER_CALL, strict=False):
            self._client.change_message_visibility_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {
                        "Id": str(index),
                        "ReceiptHandle": letter.receipt_handle,
                        "VisibilityTimeout": 0,
                    }
                    for index, letter in enumerate(batch)
                ],
            )

    def put_back(self, letter: DeadLetter) -> None:
        """Show a hidden letter to other readers again."""
        self._show([letter])

    def remove(self, letter: DeadLetter) -> None:
        """Remove a letter for good."""
        self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=letter.receipt_handle)


def _letter(message: "MessageTypeDef") -> DeadLetter:
    said = {
        name: storable(value.get("StringValue", ""), ATTRIBUTE_CHARACTERS)
        for name, value in message.get("MessageAttributes", {}).items()
    }
    body = message["Body"]
    task_id = parse_uuid(said.get("task_id", ""))
    sent_ms = int(message["Attributes"]["SentTimestamp"])
    return DeadLetter(
        letter_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=body,
        reason=said.get("reason", UNHANDLED),
        error=said.get("error", ""),
        task_id=TaskId(task_id) if task_id else None,
        sent_at=datetime.fromtimestamp(sent_ms / 1000, UTC),
    )
