"""Lists of what waits for a decision, each over the shards of an index."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from tandem.aws.batch_read import read_items
from tandem.aws.items import FAILED_CALLBACK_VIEW, FAILED_VIEW, Item, view_partition
from tandem.aws.readers import from_item
from tandem.callbacks.callback import CallbackState
from tandem.cursor import place_of, to_cursor
from tandem.tasks.store import TaskPage
from tandem.tasks.task import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNT_PAGES = 10
"""A count reads so many pages of a shard at most: each holds thousands of keys."""

_NOT_SHOWN = frozenset({"task_id", "input", "output", "file"})
_SHOWN = tuple(field.name for field in fields(Task) if field.name not in _NOT_SHOWN)
"""What is read of each task. Its payloads, which no list shows, may be hundreds of times as large.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionList:
    """Where a list stands, and which tasks are on it."""

    index: str
    partition_key: str
    order_key: str
    view: str
    shows: Callable[[Task], bool]


FAILED_TASKS = DecisionList(
    index="by_view",
    partition_key="view",
    order_key="view_order",
    view=FAILED_VIEW,
    shows=lambda task: task.listed_at is not None,
)

FAILED_CALLBACKS = DecisionList(
    index="by_callback",
    partition_key="callback_shard",
    order_key="finished",
    view=FAILED_CALLBACK_VIEW,
    shows=lambda task: task.callback is not None and task.callback.state is CallbackState.FAILED,
)


class FailedTasks:
    """Reads a list, by default that of failed tasks.

    The index is asked for keys alone: what a listing shows is read from the table, as last written.
    So a task that has left the list is not shown, however far the index lags.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        shards: int,
        listed: DecisionList = FAILED_TASKS,
    ) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._list = listed

    def page(self, limit: int, cursor: str | None) -> TaskPage:
        """Return the page that a cursor starts, merged over the shards, or raise CursorInvalid."""
        after = None if cursor is None else place_of(cursor)
        shards = [self._oldest(shard, limit, after) for shard in range(self._shards)]
        oldest = merge(*shards, key=self._order)
        keys = list(islice(oldest, limit + 1))
        page = keys[:limit]
        more = len(keys) > limit
        names = [key["pk"]["S"] for key in page]
        listed = self._listed(names)
        return TaskPage(
            [listed[name] for name in names if name in listed],
            to_cursor(self._order(page[-1])) if more else None,
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
        names = {"#view": self._list.partition_key}
        values: Item = {":view": {"S": view_partition(self._list.view, shard)}}
        condition = "#view = :view"
        if after:
            names["#order"] = self._list.order_key
            values[":after"] = {"S": after}
            condition += " AND #order > :after"
        return {
            "TableName": self._table,
            "IndexName": self._list.index,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def _listed(self, keys: list[str]) -> dict[str, Task]:
        """Return the tasks of these keys that are on the list, by their keys."""
        items = read_items(self._client, self._table, keys, *_SHOWN)
        # One that was deleted and purged since the index was read is an id alone.
        tasks = (from_item(item) for item in items if "tenant" in item)
        return {f"task#{task.task_id}": task for task in tasks if self._list.shows(task)}

    def _order(self, key: Item) -> str:
        return key[self._list.order_key]["S"]
