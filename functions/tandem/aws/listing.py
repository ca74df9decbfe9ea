"""A tenant's tasks, newest first, over the shards of index by_owner."""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from tandem.aws.items import Item
from tandem.aws.readers import from_item
from tandem.cursor import place_of, to_cursor
from tandem.tasks.store import TaskFilter, TaskPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Listing:
    """Reads one page."""

    def __init__(
        self, client: "DynamoDBClient", table: str, wanted: TaskFilter, limit: int
    ) -> None:
        self._client = client
        self._table = table
        self._wanted = wanted
        self._limit = limit

    def page(self, partitions: list[str], cursor: str | None) -> TaskPage:
        """Return the page after a cursor, merged over the partitions, or raise CursorInvalid."""
        before = None if cursor is None else place_of(cursor)
        shards = [self._newest(partition, before) for partition in partitions]
        newest = merge(*shards, key=lambda item: item["created"]["S"], reverse=True)
        items = list(islice(newest, self._limit + 1))
        page = items[: self._limit]
        more = len(items) > self._limit
        return TaskPage(
            [from_item(item) for item in page],
            to_cursor(page[-1]["created"]["S"]) if more else None,
        )

    def _newest(self, partition: str, before: str | None) -> Iterator[Item]:
        """Yield a shard's items, newest first, read page by page as they are asked for."""
        names = {"#owner": "owner"}
        values: Item = {":owner": {"S": partition}}
        condition = "#owner = :owner"
        if before:
            names["#created"], values[":before"] = "created", {"S": before}
            condition += " AND #created < :before"
        filters = []
        for name, value in (
            ("state", self._wanted.state),
            ("processor", self._wanted.processor),
        ):
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
            query["Limit"] = self._limit + 1
        pages = self._client.get_paginator("query").paginate(**query)
        for page in pages:
            yield from page["Items"]
