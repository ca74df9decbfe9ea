"""Report windows and totals in the table of tasks."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tandem.aws.batch_read import read_items
from tandem.aws.items import Item, finish_partition
from tandem.aws.packed import VERSION, packed, piece_items, pieces_of, read_texts
from tandem.aws.readers import FINISHED_ATTRIBUTES, finished_from_item
from tandem.aws.report_items import dump_report, dump_totals, load_report, load_totals
from tandem.limits import REPORT_RETENTION
from tandem.reports.counts import FinishedTask
from tandem.reports.report import Report, Totals
from tandem.reports.window import Window

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef

_TOTALS = "totals"

_WAITS_SECONDS = (0.05, 0.1, 0.2, 0.4)
"""How long at most each further try waits that closes a window against others."""

_TRY_AGAIN = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Why a transaction may be cancelled that the same transaction may not be a little later."""

_READS = 8
"""How often totals of several items are read while windows are closed meanwhile."""


class TotalsChanged(Exception):
    """Windows were closed again and again while the totals were read."""


class DynamoDBReportStore:
    """Keeps each closed window as an item, and the totals as another.

    Both are compressed. What an item cannot hold stands in further items, which the same
    transaction writes.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        shards: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._pause = pause

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
        """Return how many `finished_in` would yield. DynamoDB counts, and sends no item."""
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
        """Return the totals over all closed windows. None before the first was closed.

        Raises:
            TotalsChanged: they stand in several items, and never stood still.
        """
        for _ in range(_READS):
            item = self._item(_TOTALS)
            if item is None:
                return None
            text = self._texts({_TOTALS: item}, "body").get(_TOTALS)
            if text is not None:
                return load_totals(text)
        raise TotalsChanged

    def close(
        self, report: Report, totals: Totals, *, previous: Window | None, closing: str
    ) -> bool:
        """Record a window's report and the new totals, both or neither. Return whether it did."""
        items = _report_items(report, totals, closing)
        unchanged: Any = {"ConditionExpression": "attribute_not_exists(pk)"}
        if previous is not None:
            unchanged = {
                "ConditionExpression": "closed_through = :previous",
                "ExpressionAttributeValues": {":previous": {"S": previous.name}},
            }
        new: Any = {"ConditionExpression": "attribute_not_exists(pk)"}
        conditions = {_report_key(report.window): new, _TOTALS: unchanged}
        puts: Any = [
            {"Put": {"TableName": self._table, "Item": item} | conditions.get(key, {})}
            for key, item in items.items()
        ]
        if self._written(puts, closing):
            return True
        # The SDK tries again what was not answered, and DynamoDB forgets a token in time: a refusal
        # may be of one's own success.
        kept = self._item(_report_key(report.window))
        return kept is not None and kept["closing"] == {"S": closing}

    def _written(self, puts: Any, token: str) -> bool:
        """Write all of it or nothing, and return whether no condition was against it."""
        errors = self._client.exceptions
        waits = iter(_WAITS_SECONDS)
        while True:
            try:
                self._client.transact_write_items(TransactItems=puts, ClientRequestToken=token)
            except errors.TransactionCanceledException as error:
                reasons = {reason.get("Code") for reason in error.response["CancellationReasons"]}
                if "ConditionalCheckFailed" in reasons:
                    return False
                wait = next(waits, None)
                if wait is None or not reasons & _TRY_AGAIN:
                    raise
            except errors.TransactionInProgressException:
                wait = next(waits, None)
                if wait is None:
                    raise
            else:
                return True
            self._pause(random.uniform(wait / 2, wait))  # noqa: S311 - spreads tries, no secret

    def _item(self, key: str) -> "Item | None":
        answer = self._client.get_item(
            TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True
        )
        return answer.get("Item")

    def reports(self, windows: list[Window]) -> list[Report]:
        """Return the closed ones of these windows, newest first. Up to 100 of them.

        As they were last written: what one counted late, the next must not count again.
        """
        heads = self._heads(windows, "body")
        found = [load_report(text) for text in self._texts(heads, "body").values()]
        return sorted(found, key=lambda report: report.window, reverse=True)

    def closed(self, windows: list[Window]) -> list[tuple[Report, Totals]]:
        """Return the closed ones of these windows with the totals of then, oldest first."""
        heads = self._heads(windows, "body", "totals")
        bodies, totals = self._texts(heads, "body"), self._texts(heads, "totals")
        found = [
            (load_report(bodies[key]), load_totals(totals[key]))
            for key in bodies.keys() & totals.keys()
        ]
        return sorted(found, key=lambda pair: pair[0].window)

    def _heads(self, windows: list[Window], *documents: str) -> dict[str, Item]:
        """Return the first items of the closed ones of these windows by their keys."""
        keys = [_report_key(window) for window in windows]
        attributes = [name for document in documents for name in (document, pieces_of(document))]
        found = read_items(self._client, self._table, keys, VERSION, *attributes)
        return {item["pk"]["S"]: item for item in found}

    def _texts(self, heads: dict[str, Item], document: str) -> dict[str, str]:
        return read_texts(self._client, self._table, heads, document)


def _report_key(window: Window) -> str:
    return f"report#{window.name}"


def _report_items(report: Report, totals: Totals, closing: str) -> dict[str, Item]:
    """Return all items of a closed window by their keys, those of the totals among them."""
    key, total = _report_key(report.window), packed(dump_totals(totals))
    version: Item = {VERSION: {"S": totals.closed_through.name}}
    expires_at = int((report.window.end + REPORT_RETENTION).timestamp())
    kept: Item = {**version, "expires_at": {"N": str(expires_at)}}
    items = piece_items(key, {"body": packed(dump_report(report)), "totals": total}, kept)
    items[key]["closing"] = {"S": closing}
    return items | piece_items(_TOTALS, {"body": total}, version)
