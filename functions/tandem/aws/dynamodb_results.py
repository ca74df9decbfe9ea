"""The result cache in the table of tasks."""

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tandem.aws.items import Item, encode
from tandem.aws.readers import read_fields
from tandem.clock import from_text
from tandem.ids import TaskId
from tandem.tasks.results import CachedResult

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBResultCache:
    """Keeps each result as one item."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key: str, now: datetime) -> CachedResult | None:
        """Return what is kept under a key and has not expired."""
        answer = self._client.get_item(TableName=self._table, Key=_key(key))
        if "Item" not in answer:
            return None
        result = _from_item(answer["Item"])
        return result if result.expires_at > now else None

    def put(self, key: str, result: CachedResult) -> None:
        """Keep a result, in place of an older one."""
        item = _key(key) | {
            "task_id": encode("task_id", result.task_id),
            "output": encode("output", result.output),
            "made_at": encode("made_at", result.made_at),
            "expires_at": encode("expires_at", result.expires_at),
        }
        if result.file is not None:
            item["file"] = encode("file", result.file)
        self._client.put_item(TableName=self._table, Item=item)

    def forget(self, key: str, task_id: TaskId) -> None:
        """Remove what is kept under a key when it is that task's result."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.delete_item(
                TableName=self._table,
                Key=_key(key),
                ConditionExpression="task_id = :task",
                ExpressionAttributeValues={":task": encode("task_id", task_id)},
            )


def _key(key: str) -> Item:
    return {"pk": {"S": f"cache#{key}"}}


def _from_item(item: Any) -> CachedResult:
    fields = read_fields(item)
    return CachedResult(
        task_id=TaskId(fields["task_id"]),
        output=fields["output"],
        file=fields["file"],
        made_at=from_text(fields["made_at"]),
        expires_at=fields["expires_at"],
    )
