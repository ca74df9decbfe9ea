"""The task store on DynamoDB."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tandem.aws.conditions import Expression
from tandem.aws.contention import REFUSED, persist
from tandem.aws.deleted_tasks import DeletedTasks
from tandem.aws.failed_tasks import FailedTasks
from tandem.aws.items import (
    due_partition,
    encode,
    later_partition,
    lease_partition,
    owner_partition,
    task_key,
    to_item,
)
from tandem.aws.listing import Listing
from tandem.aws.readers import due_from_item, from_item, refused_by, waiting_since
from tandem.ids import TaskId, TenantId
from tandem.tasks.store import (
    AlreadyRetried,
    Deletion,
    Follows,
    IdempotencyKey,
    KeyUsed,
    PriorUse,
    TaskFilter,
    TaskPage,
)
from tandem.tasks.task import DueTask, State, Task
from tandem.tasks.transitions import Change

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def key_put(table: str, once: IdempotencyKey, made: str) -> Any:
    """Return the put that records a key, refused when it was used and has not expired."""
    return {
        "TableName": table,
        "Item": {
            "pk": {"S": f"once#{once.key}"},
            "fingerprint": {"S": once.fingerprint},
            "made": {"S": made},
            "expires_at": encode("expires_at", once.expires_at),
        },
        # What has expired may lie there for days before DynamoDB removes it.
        "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
        "ExpressionAttributeValues": {":now": encode("expires_at", once.now)},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def made_before(refusal: Mapping[str, Any]) -> PriorUse:
    """Return what a refused key was used for."""
    item = refusal["Item"]
    return PriorUse(item["fingerprint"]["S"], item["made"]["S"])


class DynamoDBTaskStore:
    """Keeps each task as one item. Every change is one conditional write."""

    def __init__(self, client: "DynamoDBClient", table: str, *, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._deleted = DeletedTasks(client, table, shards)

    def put(
        self, task: Task, *, once: IdempotencyKey | None = None, follows: Follows | None = None
    ) -> None:
        """Record a new task, its key and what it follows, or raise KeyUsed or AlreadyRetried."""
        put: Any = {
            "TableName": self._table,
            "Item": to_item(task, self._shards),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if once is not None or follows is not None:
            self._put_together(task.task_id, put, once, follows)
            return
        try:
            persist(self._client, lambda: self._client.put_item(**put))
        except self._client.exceptions.ConditionalCheckFailedException:
            # An id is used once: the SDK repeated a put whose answer was lost.
            return

    def claim_key(self, once: IdempotencyKey, made: str) -> None:
        """Record a key, or raise KeyUsed."""
        put = key_put(self._table, once, made)
        try:
            persist(self._client, lambda: self._client.put_item(**put))
        except self._client.exceptions.ConditionalCheckFailedException as error:
            before = made_before(error.response)
            if before.made != made:
                raise KeyUsed(before) from None

    def _put_together(
        self, task_id: TaskId, task_put: Any, once: IdempotencyKey | None, follows: Follows | None
    ) -> None:
        actions: list[Any] = [{"Put": task_put}]
        if once is not None:
            actions.append({"Put": key_put(self._table, once, task_id)})
        if follows is not None:
            actions.append({"Update": self._leave_list(follows, task_id)})
        try:
            persist(
                self._client,
                lambda: self._client.transact_write_items(
                    TransactItems=actions, ClientRequestToken=task_id
                ),
            )
        except self._client.exceptions.TransactionCanceledException as error:
            for_task, *others = error.response["CancellationReasons"]
            if for_task.get("Code") == REFUSED:
                # An id is used once: the SDK repeated a put whose answer was lost, whoever has
                # taken the key meanwhile.
                return
            reasons: Any = iter(others)
            for_key, for_failed = (next(reasons) if part else {} for part in (once, follows))
            if for_key.get("Code") == REFUSED:
                raise KeyUsed(made_before(for_key)) from None
            if for_failed.get("Code") == REFUSED:
                retried_as = for_failed.get("Item", {}).get("retried_as", {}).get("S")
                raise AlreadyRetried(retried_as) from None
            raise

    def _leave_list(self, follows: Follows, task_id: TaskId) -> Any:
        """Return the update that takes a failed task off the list, for the task that follows it."""
        condition = "attribute_exists(pk) AND attribute_not_exists(deleted_at)"
        if follows.first:
            condition = "attribute_exists(listed_at) AND attribute_not_exists(retried_as)"
        return {
            "TableName": self._table,
            "Key": task_key(follows.task_id),
            "ConditionExpression": condition,
            "UpdateExpression": "SET retried_as = if_not_exists(retried_as, :new) "
            "REMOVE listed_at, #view, view_order",
            "ExpressionAttributeNames": {"#view": "view"},
            "ExpressionAttributeValues": {":new": {"S": task_id}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def change(self, task_id: TaskId, change: Change) -> Task:
        """Change a task and return it as it then is, or raise ChangeRefused."""
        expression = Expression(task_id, change, self._shards)
        try:
            answer = persist(
                self._client,
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=task_key(task_id),
                    ConditionExpression=expression.condition,
                    UpdateExpression=expression.update,
                    ExpressionAttributeNames=expression.names,
                    ExpressionAttributeValues=expression.values,
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            refused = refused_by(item)
            if refused.task is None or not change.made(refused.task):
                raise refused from None
            return refused.task
        return from_item(answer["Attributes"])

    def get(self, task_id: TaskId) -> Task | None:
        """Return the task as last written. None when there is none, or it was deleted."""
        answer = self._client.get_item(
            TableName=self._table, Key=task_key(task_id), ConsistentRead=True
        )
        item = answer.get("Item")
        return from_item(item) if item and "deleted_at" not in item else None

    def delete(self, task: Task, *, now: datetime) -> None:
        """Delete a final task, but for what reports count of it, or raise ChangeRefused."""
        self._deleted.delete(task, now)

    def deletion(self, task_id: TaskId) -> Deletion | None:
        """Return what is left of a deleted task. None when none of that id was deleted."""
        return self._deleted.deletion(task_id)

    def deletions(self, shard: int, ended_before: datetime, *, limit: int) -> "list[TaskId]":
        """Return up to `limit` deleted tasks of a part that are not purged, oldest end first."""
        return self._deleted.page(shard, ended_before, limit)

    def purge(self, task_id: TaskId, *, expires_at: datetime) -> None:
        """Remove what is left of a deleted task, but for its id."""
        self._deleted.purge(task_id, expires_at)

    @property
    def shards(self) -> int:
        """How many parts the index of due times has."""
        return self._shards

    def overdue(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks of a part that are late: those that run first."""
        running = self._due(lease_partition(shard), now, limit)
        room = limit - len(running)
        return running + (self._due(due_partition(shard), now, room) if room else [])

    def come_due(self, shard: int, now: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks of a part that were to run later, and whose time has come."""
        return self._due(later_partition(shard), now, limit)

    def waiting(self, shard: int, due_by: datetime, *, limit: int) -> "list[DueTask]":
        """Return up to `limit` tasks of a part that were sent, wait, and are due by some time."""
        return self._due(due_partition(shard), due_by, limit)

    def _due(self, partition: str, now: datetime, limit: int) -> "list[DueTask]":
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_due",
            KeyConditionExpression="due_shard = :shard AND due_at <= :now",
            ExpressionAttributeValues={
                ":shard": {"S": partition},
                ":now": encode("due_at", now),
            },
            Limit=limit,
        )
        return [due_from_item(item) for item in answer["Items"]]

    def failed(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """Return up to `limit` failed tasks that wait for a decision, oldest failure first."""
        return FailedTasks(self._client, self._table, self._shards).page(limit, cursor)

    def count_failed(self, shard: int) -> int:
        """Return about how many failed tasks of a part wait for a decision."""
        return FailedTasks(self._client, self._table, self._shards).count(shard)

    def oldest_waiting(self, shard: int, now: datetime) -> datetime | None:
        """Return since when the queued task of a part waits that waits for longest, about."""
        # A run of the sweep sends so many at most: where many come due at once, the rest wait on.
        waiting = [task.due_at for task in self.come_due(shard, now, limit=1)]
        sent = self._oldest_sent(shard, now)
        if sent is not None:
            waiting.append(sent)
        return min(waiting, default=None)

    def _oldest_sent(self, shard: int, now: datetime) -> datetime | None:
        """Return since when the oldest task waits whose time has come and that was sent.

        The index is read until a page has one: ahead of it are tasks that wait for an attempt.
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
