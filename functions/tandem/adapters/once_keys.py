"""Idempotency keys as items of the table of tasks."""

from collections.abc import Mapping
from typing import Any

from tandem.adapters.items import encode
from tandem.ports import MadeBefore, Once


def key_put(table: str, once: Once, made: str) -> Any:
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


def made_before(refusal: Mapping[str, Any]) -> MadeBefore:
    """Return what a refused key was used for."""
    item = refusal["Item"]
    return MadeBefore(item["fingerprint"]["S"], item["made"]["S"])
