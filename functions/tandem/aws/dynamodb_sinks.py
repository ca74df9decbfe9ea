"""Sink states on DynamoDB, in the table of tasks."""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tandem.aws.items import Item
from tandem.clock import from_text, to_text
from tandem.reports.sink import SinkCursor
from tandem.reports.window import Window

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBSinkStore:
    """Keeps each sink's cursor as one item, written only over the version that was read."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def cursors(self, sinks: Iterable[str]) -> dict[str, SinkCursor]:
        """Return the cursors of these sinks by name. A sink that is new has none."""
        keys = [_key(sink) for sink in sinks]
        wanted: Any = {self._table: {"Keys": keys, "ConsistentRead": True}} if keys else None
        found: list[SinkCursor] = []
        while wanted:
            answer = self._client.batch_get_item(RequestItems=wanted)
            found += [_load(item) for item in answer["Responses"].get(self._table, [])]
            wanted = answer.get("UnprocessedKeys")
        return {cursor.sink: cursor for cursor in found}

    def create(self, cursor: SinkCursor) -> None:
        """Record a new sink's cursor. One that is there already stays as it is."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(
                TableName=self._table,
                Item=_dump(cursor),
                ConditionExpression="attribute_not_exists(pk)",
            )

    def save(self, cursor: SinkCursor, *, writer: str) -> SinkCursor | None:
        """Record a changed cursor and return its next version. None when another was faster."""
        saved = cursor.saved(writer)
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_dump(saved),
                ConditionExpression="#version = :read",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":read": {"N": str(cursor.version)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            # The SDK tries again what was not answered: a refusal may be of one's own success.
            kept = self.cursors([cursor.sink]).get(cursor.sink)
            return saved if kept is not None and kept.has(saved) else None
        return saved


def _key(sink: str) -> Item:
    return {"pk": {"S": f"sink#{sink}"}}


def _dump(cursor: SinkCursor) -> Item:
    item = _key(cursor.sink) | {
        "sink": {"S": cursor.sink},
        "published_through": {"S": cursor.published_through.name},
        "failures": {"N": str(cursor.failures)},
        "version": {"N": str(cursor.version)},
        "writers": {
            "L": [
                {"M": {"writer": {"S": writer}, "version": {"N": str(version)}}}
                for writer, version in cursor.writers
            ]
        },
    }
    if cursor.failing_since is not None:
        item["failing_since"] = {"S": to_text(cursor.failing_since)}
    if cursor.error is not None:
        item["error"] = {"S": cursor.error}
    if cursor.claimed_until is not None:
        item["claimed_until"] = {"S": to_text(cursor.claimed_until)}
    return item


def _load(item: Any) -> SinkCursor:
    moments = {
        name: from_text(item[name]["S"])
        for name in ("failing_since", "claimed_until")
        if name in item
    }
    return SinkCursor(
        sink=item["sink"]["S"],
        published_through=Window.named(item["published_through"]["S"]),
        failures=int(item["failures"]["N"]),
        error=item["error"]["S"] if "error" in item else None,
        version=int(item["version"]["N"]),
        writers=tuple(
            (pair["M"]["writer"]["S"], int(pair["M"]["version"]["N"]))
            for pair in item["writers"]["L"]
        ),
        **moments,
    )
