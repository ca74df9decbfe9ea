"""Deleted tasks: their items without content, over the shards of index by_view."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tandem.aws.contention import persist
from tandem.aws.items import (
    DELETED_ATTRIBUTES,
    DELETED_VIEW,
    PURGED_ATTRIBUTES,
    encode,
    shard_of,
    task_key,
    view_partition,
)
from tandem.aws.readers import deletion_from_item, refused_by
from tandem.clock import to_text
from tandem.ids import TaskId
from tandem.tasks.store import Deletion
from tandem.tasks.task import State, Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FINAL = {f":{state}": encode("state", state) for state in State if state.final}


class DeletedTasks:
    """Marks tasks as deleted, lists and purges them."""

    def __init__(self, client: "DynamoDBClient", table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def delete(self, task: Task, now: datetime) -> None:
        """Mark a final task, and take its content out, or raise ChangeRefused.

        A task that was deleted before stays so.
        """
        order = f"{to_text(task.finished_at or now)}#{task.task_id}"
        view = view_partition(DELETED_VIEW, shard_of(task.task_id, self._shards))
        gone = {f"#{name}": name for name in DELETED_ATTRIBUTES}
        try:
            persist(
                self._client,
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=task_key(task.task_id),
                    ConditionExpression=f"#state IN ({', '.join(_FINAL)}) "
                    "AND attribute_not_exists(deleted_at)",
                    UpdateExpression="SET deleted_at = :now, #view = :view, "
                    f"view_order = :order REMOVE {', '.join(gone)}",
                    ExpressionAttributeNames={"#state": "state", "#view": "view"} | gone,
                    ExpressionAttributeValues={
                        ":now": encode("deleted_at", now),
                        ":view": {"S": view},
                        ":order": {"S": order},
                        **_FINAL,
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            # An SDK sends the write again when its answer was lost.
            if "deleted_at" not in item:
                raise refused_by(item) from None

    def deletion(self, task_id: TaskId) -> Deletion | None:
        """Return what is left of a deleted task. None when none of that id was deleted."""
        answer = self._client.get_item(
            TableName=self._table, Key=task_key(task_id), ConsistentRead=True
        )
        item = answer.get("Item", {})
        return deletion_from_item(item) if "deleted_at" in item else None

    def page(self, shard: int, ended_before: datetime, limit: int) -> list[TaskId]:
        """Return up to `limit` that ended before the given time, oldest end first."""
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_view",
            KeyConditionExpression="#view = :view AND view_order < :before",
            ExpressionAttributeNames={"#view": "view"},
            ExpressionAttributeValues={
                ":view": {"S": view_partition(DELETED_VIEW, shard)},
                ":before": {"S": to_text(ended_before)},
            },
            Limit=limit,
        )
        return [TaskId(item["pk"]["S"].removeprefix("task#")) for item in answer["Items"]]

    def purge(self, task_id: TaskId, expires_at: datetime) -> None:
        """Remove all but the id and that it was deleted, until the table's time to live does."""
        gone = {f"#{name}": name for name in PURGED_ATTRIBUTES}
        try:
            persist(
                self._client,
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=task_key(task_id),
                    ConditionExpression="attribute_exists(deleted_at)",
                    UpdateExpression=f"SET expires_at = :expires_at REMOVE {', '.join(gone)}",
                    ExpressionAttributeNames=gone,
                    ExpressionAttributeValues={":expires_at": encode("expires_at", expires_at)},
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            # Its time to live was over, or it was never deleted.
            return
