"""Outside effects in the table of tasks."""

from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tandem.aws.contention import REFUSED, persist
from tandem.aws.items import Item, encode, task_key
from tandem.clock import from_text
from tandem.ids import TaskId
from tandem.tasks.effects import Effect, NotHeld
from tandem.tasks.task import Fence, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ABSENT = "attribute_not_exists(pk)"
_OPEN = "(call_id = :before AND attribute_not_exists(answer))"


class DynamoDBEffectStore:
    """Keeps each effect as one item. A write also checks, in one transaction, who holds the task.

    What has expired counts until DynamoDB removes it: to forget an effect early could repeat it.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key: str) -> Effect | None:
        """Return the effect of an idempotency key as last written, or None."""
        answer = self._client.get_item(TableName=self._table, Key=_key(key), ConsistentRead=True)
        return _from_item(answer["Item"]) if "Item" in answer else None

    def write(self, effect: Effect, fence: Fence, *, instead_of: Effect | None = None) -> Effect:
        """Record an effect, and return the record that is there then, or raise NotHeld."""
        actions: Any = [
            {"ConditionCheck": self._held(effect.task_id, fence)},
            {"Put": self._put(effect, instead_of)},
        ]
        token = token_hex(16)
        try:
            persist(
                self._client,
                lambda: self._client.transact_write_items(
                    TransactItems=actions, ClientRequestToken=token
                ),
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons: Any = error.response["CancellationReasons"]
            for_task, for_effect = reasons
            if for_task.get("Code") == REFUSED:
                raise NotHeld from None
            if for_effect.get("Code") != REFUSED:
                raise
            # It may be this very record: the SDK repeated a write whose answer was lost.
            return _from_item(for_effect["Item"])
        return effect

    def keep(self, key: str, until: datetime) -> None:
        """Keep an effect for so long at least."""
        try:
            persist(
                self._client,
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=_key(key),
                    ConditionExpression="expires_at < :until",
                    UpdateExpression="SET expires_at = :until",
                    ExpressionAttributeValues={":until": encode("expires_at", until)},
                ),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            # It is kept for longer, or it is gone.
            return

    def _held(self, task_id: TaskId, fence: Fence) -> Any:
        return {
            "TableName": self._table,
            "Key": task_key(task_id),
            "ConditionExpression": "#state = :running AND attempts = :attempt "
            "AND lease_until = :lease",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":running": encode("state", State.RUNNING),
                ":attempt": encode("attempts", fence.attempt),
                ":lease": encode("lease_until", fence.lease_until),
            },
        }

    def _put(self, effect: Effect, instead_of: Effect | None) -> Any:
        put: Any = {
            "TableName": self._table,
            "Item": _to_item(effect),
            "ConditionExpression": _ABSENT,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if instead_of is not None:
            put["ConditionExpression"] = f"{_ABSENT} OR {_OPEN}"
            put["ExpressionAttributeValues"] = {":before": {"S": instead_of.call_id}}
        return put


def _key(key: str) -> Item:
    return {"pk": {"S": f"effect#{key}"}}


def _to_item(effect: Effect) -> Item:

    item = _key(effect.idempotency_key) | {
        "begun_by": {"S": effect.task_id},
        "begun_in": {"N": str(effect.attempt)},
        "begun_at": encode("begun_at", effect.begun_at),
        "call_id": {"S": effect.call_id},
        "expires_at": encode("expires_at", effect.expires_at),
    }
    if effect.answer is not None:
        item["answer"] = {"S": effect.answer}
    return item


def _from_item(item: Any) -> Effect:
    return Effect(
        idempotency_key=item["pk"]["S"].removeprefix("effect#"),
        task_id=TaskId(item["begun_by"]["S"]),
        attempt=int(item["begun_in"]["N"]),
        call_id=item["call_id"]["S"],
        begun_at=from_text(item["begun_at"]["S"]),
        expires_at=datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC),
        answer=item["answer"]["S"] if "answer" in item else None,
    )
