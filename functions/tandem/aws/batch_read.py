"""Reading many items by their keys."""

from collections.abc import Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from tandem.aws.items import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MOST_KEYS = 100
"""What one BatchGetItem takes."""


def read_items(
    client: "DynamoDBClient", table: str, keys: Sequence[str], *attributes: str
) -> Iterator[Item]:
    """Yield those of the items that are there, as they were last written, in no order.

    Args:
        client: reads.
        table: where the items are.
        keys: their values of `pk`.
        attributes: what is read beside `pk`.
    """
    names = {f"#{name}": name for name in ("pk", *attributes)}
    about: Any = {
        "ConsistentRead": True,
        "ProjectionExpression": ",".join(names),
        "ExpressionAttributeNames": names,
    }
    for some in batched(keys, _MOST_KEYS, strict=False):
        wanted: Any = {table: about | {"Keys": [{"pk": {"S": key}} for key in some]}}
        while wanted:
            answer: Any = client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(table, [])
            wanted = answer.get("UnprocessedKeys")
