"""Report windows and totals in the table of tasks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tandem.adapters.items import Item, finish_partition
from tandem.adapters.readers import FINISHED_ATTRIBUTES, finished_from_item
from tandem.adapters.report_items import dump_report, dump_totals, load_report, load_totals
from tandem.domain.counts import FinishedTask
from tandem.domain.report import Report, Totals
from tandem.domain.window import Window
from tandem.limits import REPORT_RETENTION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef

_TOTALS: Item = {"pk": {"S": "totals"}}


def _key(window: Window) -> Item:
    return {"pk": {"S": f"report#{window.name}"}}


class DynamoDBReportStore:
    """Keeps each closed window as one item, and the totals as another."""

    def __init__(self, client: "DynamoDBClient", table: str, *, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    @property
    def shards(self) -> int:
        """How many parts the index of finished tasks has."""
        return self._shards

    def finished_in(self, window: Window, shard: int) -> Iterator[FinishedTask]:
        """Yield every task of a part that finished in the window."""
        # Most of the time goes into reading attributes: those that say the same are left out.
        names = {f"#{name}": name for name in FINISHED_ATTRIBUTES}
        asked = {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names}
        for page in self._pages(window, shard, **asked):
            yield from (finished_from_item(item) for item in page["Items"])

    def count_finished_in(self, window: Window, shard: int) -> int:
        """Return how many `finished_in` would yield; DynamoDB counts, and sends no item."""
        return sum(page["Count"] for page in self._pages(window, shard, Select="COUNT"))

    def _pages(self, window: Window, shard: int, **more: Any) -> "Iterator[QueryOutputTypeDef]":
        yield from self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="by_finish",
            KeyConditionExpression="finish_shard = :shard",
            ExpressionAttributeValues={":shard": {"S": finish_partition(window.name, shard)}},
            **more,
        )

    def totals(self) -> Totals | None:
        """Return the totals over all closed windows; None before the first was closed."""
        answer = self._client.get_item(TableName=self._table, Key=_TOTALS, ConsistentRead=True)
        return load_totals(answer["Item"]["body"]["S"]) if "Item" in answer else None

    def close(self, report: Report, totals: Totals, *, previous: Window | None) -> bool:
        """Record a window's report and the new totals, both or neither; return whether it did."""
        unchanged: Any = {"ConditionExpression": "attribute_not_exists(pk)"}
        if previous is not None:
            unchanged = {
                "ConditionExpression": "closed_through = :previous",
                "ExpressionAttributeValues": {":previous": {"S": previous.name}},
            }
        expires_at = int((report.window.end + REPORT_RETENTION).timestamp())
        totals_text = dump_totals(totals)
        report_item = _key(report.window) | {
            "body": {"S": dump_report(report)},
            "totals": {"S": totals_text},
            "expires_at": {"N": str(expires_at)},
        }
        totals_item = _TOTALS | {
            "body": {"S": totals_text},
            "closed_through": {"S": totals.closed_through.name},
        }
        try:
            self._client.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": self._table,
                            "Item": report_item,
                            "ConditionExpression": "attribute_not_exists(pk)",
                        }
                    },
                    {"Put": {"TableName": self._table, "Item": totals_item} | unchanged},
                ]
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = {reason.get("Code") for reason in error.response["CancellationReasons"]}
            if reasons & {"ConditionalCheckFailed", "TransactionConflict"}:
                return False
            raise
        return True

    def reports(self, windows: list[Window]) -> list[Report]:
        """Return the closed ones of these windows, newest first; up to 100 of them.

        As they were last written: what one counted late, the next must not count again.
        """
        found = [load_report(item["body"]["S"]) for item in self._items(windows, "body")]
        return sorted(found, key=lambda report: report.window, reverse=True)

    def closed(self, windows: list[Window]) -> list[tuple[Report, Totals]]:
        """Return the closed ones of these windows with the totals of then, oldest first.

        Up to 100 of them; those that were closed before their totals were kept are not there.
        """
        found = [
            (load_report(item["body"]["S"]), load_totals(item["totals"]["S"]))
            for item in self._items(windows, "body,totals")
            if "totals" in item
        ]
        return sorted(found, key=lambda pair: pair[0].window)

    def _items(self, windows: list[Window], attributes: str) -> "Iterator[Item]":
        keys = [_key(window) for window in windows]
        wanted: Any = {
            self._table: {
                "Keys": keys,
                "ConsistentRead": True,
                "ProjectionExpression": attributes,
            }
        }
        while wanted:
            answer = self._client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys")
