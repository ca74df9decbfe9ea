"""Quotas as items of the table of tasks, each one number.

The bucket is kept as the time at which it will be full again: taking tokens moves that time on, and
is refused when it would lie further ahead than a whole bucket takes to fill. So one number and one
conditional write are enough. A write that lost a race is told the number that won.
"""

import secrets
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tandem.aws.items import Item
from tandem.ids import TenantId
from tandem.tenants.quota import MoreThanBurst

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORGOTTEN_AFTER_SECONDS = 24 * 60 * 60
"""After the bucket is full again: by then it is as if it had never been."""

_TRIES = 8

KNOWN_WRITES = 8
"""The latest writes that a bucket knows: one whose answer was lost is counted once, also where
others were quicker than its repetition."""

_WRITES = ("write_id", *(f"write_{number}" for number in range(2, KNOWN_WRITES + 1)))

_MOVE = ", ".join(
    (
        "SET full_at = :full_at, expires_at = :expires",
        *(f"{to} = if_not_exists({of}, :none)" for to, of in pairwise(reversed(_WRITES))),
        "write_id = :write_id",
    )
)

_TOO_FAST = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException"})
"""A tenant's bucket is one item, which takes about 1,000 writes a second."""


class DynamoDBQuotaStore:
    """Keeps each tenant's bucket as one item."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table
        self._last_seen: dict[TenantId, int] = {}

    def take(
        self, tenant: TenantId, tokens: int, *, per_second: float, burst: int, now: datetime
    ) -> timedelta | None:
        """Take tokens, or return how long they will be missing, or raise MoreThanBurst."""
        if tokens > burst:
            raise MoreThanBurst(burst)
        now_us = round(now.timestamp() * 1_000_000)
        cost_us = round(tokens * 1_000_000 / per_second)
        full_us = round(burst * 1_000_000 / per_second)
        seen = self._last_seen.get(tenant)
        for _ in range(_TRIES):
            start_us = max(now_us, seen or 0)
            missing_us = start_us + cost_us - (now_us + full_us)
            if missing_us > 0:
                return timedelta(microseconds=missing_us)
            try:
                found = self._move(tenant, seen, start_us + cost_us)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in _TOO_FAST:
                    raise
                break
            if found is None:
                self._last_seen[tenant] = start_us + cost_us
                return None
            seen = self._last_seen[tenant] = found
        return timedelta(seconds=1)

    def _move(self, tenant: TenantId, seen: int | None, full_at_us: int) -> int | None:
        """Write the bucket's new time when it is as it was seen. Return the other time if not.

        The SDK repeats a write whose answer was lost, and the repetition is refused by what the
        write itself did, or by those that followed it: the item then holds this write's own id.
        """
        write_id = secrets.token_hex(8)
        values: Item = {
            ":full_at": {"N": str(full_at_us)},
            ":write_id": {"S": write_id},
            ":none": {"S": "-"},
            ":expires": {"N": str(full_at_us // 1_000_000 + _FORGOTTEN_AFTER_SECONDS)},
        }
        condition = "attribute_not_exists(full_at)"
        if seen is not None:
            condition, values[":seen"] = "full_at = :seen", {"N": str(seen)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": f"quota#{tenant}"}},
                UpdateExpression=_MOVE,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            if {"S": write_id} in (item.get(name) for name in _WRITES):
                return None
            return int(item["full_at"]["N"]) if "full_at" in item else 0
        return None
