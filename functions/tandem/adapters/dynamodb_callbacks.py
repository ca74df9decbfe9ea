"""How far callbacks are, on DynamoDB, with the tasks."""

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from tandem.adapters.items import Item, callback_partition, encode, shard_of, task_key
from tandem.adapters.readers import waiting_from_item
from tandem.domain.callback import Callback, CallbackState, WaitingCallback
from tandem.domain.clock import to_text
from tandem.domain.ids import TaskId

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBCallbackStore:
    """Keeps a callback as one attribute of its task, and in index by_callback until it is queued.

    A submit writes the index's partition, a finish writes its order: so a finished task is in the
    index by the very write that finishes it.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    @property
    def shards(self) -> int:
        """How many parts the index of waiting callbacks has."""
        return self._shards

    def waiting(self, shard: int, before: datetime, *, limit: int) -> list[WaitingCallback]:
        """Return up to `limit` callbacks of a part that the queue was not given, oldest first."""
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_callback",
            KeyConditionExpression="callback_shard = :shard AND finished < :before",
            ExpressionAttributeValues={
                ":shard": {"S": callback_partition(shard)},
                ":before": {"S": to_text(before)},
            },
            Limit=limit,
        )
        return [waiting_from_item(item) for item in answer["Items"]]

    def handed_over(self, task_id: TaskId) -> None:
        """Record that the queue has a task's callback: it waits no more."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=task_key(task_id),
                # Else a task that has expired meanwhile would come back as an empty item.
                ConditionExpression="attribute_exists(pk)",
                UpdateExpression="REMOVE callback_shard",
            )

    def record(self, task_id: TaskId, callback: Callback) -> None:
        """Record how far a final task's callback is; one that is delivered stays so.

        It waits no more: whoever records this has its message.
        """
        self._set(task_id, callback, "REMOVE callback_shard")

    def reopen(self, task_id: TaskId, callback: Callback) -> None:
        """As `record`, but the callback waits for the queue again."""
        shard = callback_partition(shard_of(task_id, self._shards))
        self._set(task_id, callback, ", callback_shard = :shard", {":shard": {"S": shard}})

    def _set(
        self, task_id: TaskId, callback: Callback, more: str, values: Item | None = None
    ) -> None:
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=task_key(task_id),
                ConditionExpression="attribute_exists(#kept) AND #kept.#state <> :delivered",
                UpdateExpression=f"SET #kept = :callback {more}",
                ExpressionAttributeNames={"#kept": "callback", "#state": "state"},
                ExpressionAttributeValues={
                    ":callback": encode("callback", callback),
                    ":delivered": {"S": CallbackState.DELIVERED},
                    **(values or {}),
                },
            )
