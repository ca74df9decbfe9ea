"""Callback states on DynamoDB, in the items of their tasks."""

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tandem.aws.contention import persist
from tandem.aws.failed_tasks import FAILED_CALLBACKS, FailedTasks
from tandem.aws.items import (
    CALLBACK_VIEW,
    FAILED_CALLBACK_VIEW,
    Item,
    encode,
    shard_of,
    task_key,
    view_partition,
)
from tandem.aws.readers import from_item, waiting_from_item
from tandem.callbacks.callback import Callback, CallbackState, WaitingCallback
from tandem.clock import to_text
from tandem.ids import TaskId
from tandem.tasks.store import TaskPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBCallbackStore:
    """Keeps a callback as one attribute of its task, and in index by_callback while it waits.

    A submit writes the index's partition, a finish writes its order: so a finished task is in the
    index by the very write that finishes it. The write that gives a callback up puts it into
    another partition, which is the list of callbacks that wait for a decision.
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
                ":shard": {"S": view_partition(CALLBACK_VIEW, shard)},
                ":before": {"S": to_text(before)},
            },
            Limit=limit,
        )
        return [waiting_from_item(item) for item in answer["Items"]]

    def handed_over(self, task_id: TaskId) -> None:
        """Record that the queue has a task's callback: it waits no more."""
        waiting = view_partition(CALLBACK_VIEW, shard_of(task_id, self._shards))
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            persist(
                self._client,
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=task_key(task_id),
                    # Its function may have given it up already: then it stands on the list.
                    ConditionExpression="callback_shard = :waiting",
                    UpdateExpression="REMOVE callback_shard",
                    ExpressionAttributeValues={":waiting": {"S": waiting}},
                ),
            )

    def record(self, task_id: TaskId, callback: Callback, *, seen: Callback) -> Callback | None:
        """Record how far a final task's callback is, and return it as it then is."""
        view = FAILED_CALLBACK_VIEW if callback.state is CallbackState.FAILED else None
        if callback.state is CallbackState.DELIVERED:
            condition, values = "#kept.#state <> :state", _state(CallbackState.DELIVERED)
        else:
            condition, values = "#kept.#state = :state", _state(CallbackState.PENDING)
            if seen.write_id is None:
                condition += " AND attribute_not_exists(#kept.write_id)"
            else:
                condition += " AND #kept.write_id = :seen"
                values[":seen"] = {"S": seen.write_id}
        return self._write(task_id, callback, view, condition, values)

    def reopen(self, task_id: TaskId, callback: Callback) -> bool:
        """Let a callback that was given up wait for the queue again. Return whether it was."""
        condition, values = "#kept.#state = :state", _state(CallbackState.FAILED)
        kept = self._write(task_id, callback, CALLBACK_VIEW, condition, values)
        return kept is not None and kept.write_id == callback.write_id

    def given_up(self, *, limit: int, cursor: str | None = None) -> TaskPage:
        """Return up to `limit` tasks whose callbacks were given up, the oldest end first."""
        listed = FailedTasks(self._client, self._table, self._shards, FAILED_CALLBACKS)
        return listed.page(limit, cursor)

    def _write(
        self,
        task_id: TaskId,
        callback: Callback,
        view: str | None,
        condition: str,
        values: Item,
    ) -> Callback | None:
        """Write a callback, into a view or out of all, and return the one that is then kept."""
        place = "REMOVE callback_shard"
        if view is not None:
            place = ", callback_shard = :shard"
            shard = view_partition(view, shard_of(task_id, self._shards))
            values = values | {":shard": {"S": shard}}
        try:
            persist(
                self._client,
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=task_key(task_id),
                    ConditionExpression=f"attribute_exists(#kept) AND {condition}",
                    UpdateExpression=f"SET #kept = :callback {place}",
                    ExpressionAttributeNames={"#kept": "callback", "#state": "state"},
                    ExpressionAttributeValues={
                        ":callback": encode("callback", callback),
                        **values,
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item")
            # Of a deleted task there may be an id, and no more.
            return from_item(item).callback if item and "deleted_at" not in item else None
        return callback


def _state(state: CallbackState) -> Item:
    return {":state": {"S": state}}
