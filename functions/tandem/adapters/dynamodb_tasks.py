"""The task store on DynamoDB."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from tandem.adapters.conditions import Expression
from tandem.adapters.items import Item, from_item, owner_partition, task_key, to_item
from tandem.domain.changes import Change
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import Task
from tandem.ports import ChangeRefused, TaskExists, TaskFilter, TaskPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBTaskStore:
    """Keeps each task as one item; every change is one conditional write."""

    def __init__(self, client: "DynamoDBClient", table: str, *, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def put(self, task: Task) -> None:
        """Record a new task, or raise TaskExists."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(task, self._shards),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise TaskExists from None

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

    def list(
        self, tenant: TenantId, wanted: TaskFilter, *, limit: int, cursor: str | None = None
    ) -> TaskPage:
        """Return up to `limit` of a tenant's tasks, newest first, from the cursor on."""
        before = _decode(cursor) if cursor else None
        shards = [
            self._newest(owner_partition(tenant, shard), wanted, before, limit)
            for shard in range(self._shards)
        ]
        newest = merge(*shards, key=lambda item: item["created"]["S"], reverse=True)
        items = list(islice(newest, limit + 1))
        page = items[:limit]
        more = len(items) > limit
        return TaskPage(
            [from_item(item) for item in page],
            _encode(page[-1]["created"]["S"]) if more else None,
        )

    def _newest(
        self, partition: str, wanted: TaskFilter, before: str | None, limit: int
    ) -> Iterator[Item]:
        """Yield a shard's items, newest first, read page by page as they are asked for."""
        names = {"#owner": "owner"}
        values: Item = {":owner": {"S": partition}}
        condition = "#owner = :owner"
        if before:
            names["#created"], values[":before"] = "created", {"S": before}
            condition += " AND #created < :before"
        filters = []
        for name, value in (("state", wanted.state), ("processor", wanted.processor)):
            if value is not None:
                names[f"#{name}"], values[f":{name}"] = name, {"S": str(value)}
                filters.append(f"#{name} = :{name}")
        query: Any = {
            "TableName": self._table,
            "IndexName": "by_owner",
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": False,
        }
        if filters:
            query["FilterExpression"] = " AND ".join(filters)
        else:
            query["Limit"] = limit + 1
        pages = self._client.get_paginator("query").paginate(**query)
        for page in pages:
            yield from page["Items"]


def _encode(created: str) -> str:
    return urlsafe_b64encode(created.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        # Not one of ours: start where no task is.
        return " "
