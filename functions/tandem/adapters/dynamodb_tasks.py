"""The task store on DynamoDB."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tandem.adapters.conditions import Expression
from tandem.adapters.items import due_partition, encode, owner_partition, task_key, to_item
from tandem.adapters.listing import Listing
from tandem.adapters.once_keys import key_put, made_before
from tandem.adapters.readers import due_from_item, from_item, waiting_since
from tandem.domain.changes import Change
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import DueTask, State, Task
from tandem.ports import (
    ChangeRefused,
    KeyUsed,
    Once,
    TaskExists,
    TaskFilter,
    TaskPage,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBTaskStore:
    """Keeps each task as one item; every change is one conditional write."""

    def __init__(self, client: "DynamoDBClient", table: str, *, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def put(self, task: Task, *, once: Once | None = None) -> None:
        """Record a new task, and its key with it, or raise TaskExists or KeyUsed."""
        put: Any = {
            "TableName": self._table,
            "Item": to_item(task, self._shards),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if once is not None:
            self._put_both(put, key_put(self._table, once, task.task_id))
            return
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            raise TaskExists from None

    def claim_key(self, once: Once, made: str) -> None:
        """Record a key, or raise KeyUsed."""
        try:
            self._client.put_item(**key_put(self._table, once, made))
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise KeyUsed(made_before(error.response)) from None

    def _put_both(self, task_put: Any, key_put: Any) -> None:
        try:
            self._client.transact_write_items(TransactItems=[{"Put": task_put}, {"Put": key_put}])
        except self._client.exceptions.TransactionCanceledException as error:
            for_task, for_key = error.response["CancellationReasons"]
            if for_key.get("Code") == "ConditionalCheckFailed":
                raise KeyUsed(made_before(for_key)) from None
            if for_task.get("Code") == "ConditionalCheckFailed":
                raise TaskExists from None
            raise

    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is, or raise ChangeRefused."""
        expression = Expression(task_id, change, self._shards)
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=task_key(task_id),
                ConditionExpression=expression.condition,
                UpdateExpression=expression.update,
                ExpressionAttributeNames=expression.names,
                ExpressionAttributeValues=expression.values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item")
            raise ChangeRefused(from_item(item) if item else None) from None
        return from_item(answer["Attributes"])

    def get(self, task_id: TaskId) -> Task | None:
        """Return the task as last written, or None."""
        answer = self._client.get_item(
            TableName=self._table, Key=task_key(task_id), ConsistentRead=True
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    @property
    def shards(self) -> int:
        """How many parts the index of due times has."""
        return self._shards

    def overdue(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks of a part that are in flight and due, longest due first."""
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_due",
            KeyConditionExpression="due_shard = :shard AND due_at <= :now",
            ExpressionAttributeValues={
                ":shard": {"S": due_partition(shard)},
                ":now": encode("due_at", now),
            },
            Limit=limit,
        )
        return [due_from_item(item) for item in answer["Items"]]

    def oldest_waiting(self, shard: int, now: datetime) -> datetime | None:
        """Return since when the queued task of a part waits that waits for longest, about.

        The index is read until a page has one: ahead of it are tasks that run, a few for each
        worker.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="by_due",
            KeyConditionExpression="due_shard = :shard",
            FilterExpression="#state = :queued AND (attribute_not_exists(not_before) "
            "OR not_before <= :now)",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":shard": {"S": due_partition(shard)},
                ":queued": encode("state", State.QUEUED),
                ":now": encode("not_before", now),
            },
        )
        for page in pages:
            if page["Items"]:
                return min(waiting_since(item) for item in page["Items"])
        return None

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, from the cursor on."""
        listing = Listing(self._client, self._table, wanted, limit)
        partitions = [owner_partition(tenant, shard) for shard in range(self._shards)]
        return listing.page(partitions, cursor)
