"""The failed tasks that wait for a decision, over the shards of index by_view."""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from tandem.adapters.items import FAILED_VIEW, Item, view_partition
from tandem.adapters.readers import from_item
from tandem.ports import TaskPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNT_PAGES = 10
"""A count reads so many pages of a shard at most: each holds thousands of keys."""

_HEAVY = frozenset({"input", "output", "file"})


class FailedTasks:
    """Reads the list.

    The index holds keys alone: what a listing shows is read from the table, as last written. So a
    task that has left the list is not shown, however far the index lags.
    """

    def __init__(self, client: "DynamoDBClient", table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def page(self, limit: int, cursor: str | None) -> TaskPage:
        """Return the page that a cursor starts, merged over the shards."""
        shards = [self._oldest(shard, limit, cursor) for shard in range(self._shards)]
        oldest = merge(*shards, key=_order)
        keys = list(islice(oldest, limit + 1))
        page = keys[:limit]
        more = len(keys) > limit
        listed = self._listed([{"pk": key["pk"]} for key in page])
        return TaskPage(
            [from_item(listed[key["pk"]["S"]]) for key in page if key["pk"]["S"] in listed],
            _order(page[-1]) if more else None,
        )

    def count(self, shard: int) -> int:
        """Return how many keys a shard has, of at most `COUNT_PAGES` pages."""
        pages = self._client.get_paginator("query").paginate(
            **self._query(shard, None), Select="COUNT"
        )
        return sum(page["Count"] for page in islice(pages, COUNT_PAGES))

    def _oldest(self, shard: int, limit: int, after: str | None) -> Iterator[Item]:
        query = self._query(shard, after) | {"Limit": limit + 1}
        pages = self._client.get_paginator("query").paginate(**query)
        for page in pages:
            yield from page["Items"]

    def _query(self, shard: int, after: str | None) -> Any:
        names = {"#view": "view"}
        values: Item = {":view": {"S": view_partition(FAILED_VIEW, shard)}}
        condition = "#view = :view"
        if after:
            values[":after"] = {"S": after}
            condition += " AND view_order > :after"
        return {
            "TableName": self._table,
            "IndexName": "by_view",
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def _listed(self, keys: list[Item]) -> dict[str, Item]:
        """Return the items of these keys that are on the list, by their keys."""
        found: dict[str, Item] = {}
        asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True}} if keys else {}
        while asked:
            answer = self._client.batch_get_item(RequestItems=asked)
            for item in answer["Responses"].get(self._table, []):
                if "listed_at" in item:
                    light = {name: part for name, part in item.items() if name not in _HEAVY}
                    found[item["pk"]["S"]] = light
            asked = answer.get("UnprocessedKeys")
        return found


def _order(key: Item) -> str:
    return key["view_order"]["S"]
