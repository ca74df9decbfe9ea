"""Long texts as compressed pieces, each of which an item can hold.

An item of DynamoDB holds 400 KB. A report of some hundred processors is longer, and its numbers
repeat: compressed, nearly all reports are one piece. The first piece of a text stands in an item
with what else that holds, and each further one in an item of its own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from zlib import compress, decompress

from tandem.aws.batch_read import read_items
from tandem.aws.items import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PIECE_BYTES = 190_000
"""Two pieces and the rest of an item are less than an item's 400 KB."""

VERSION = "closed_through"
"""The attribute that all items of one text have alike."""

_LEVEL = 6


def packed(text: str) -> list[bytes]:
    """Return a text as one or more pieces of at most `PIECE_BYTES`."""
    whole = compress(text.encode(), _LEVEL)
    return [whole[start : start + PIECE_BYTES] for start in range(0, len(whole), PIECE_BYTES)]


def pieces_of(name: str) -> str:
    """Return the attribute that says how many pieces a text has."""
    return f"{name}_pieces"


def piece_items(key: str, texts: Mapping[str, list[bytes]], more: Item) -> dict[str, Item]:
    """Return the items that hold these texts by their keys.

    Args:
        key: of the item with the first piece of each text.
        texts: the pieces of each, by its name.
        more: attributes of all the items, `VERSION` among them.
    """
    first: Item = {"pk": {"S": key}, **more}
    items = {key: first}
    for name, pieces in texts.items():
        first[name] = {"B": pieces[0]}
        first[pieces_of(name)] = {"N": str(len(pieces))}
        for number, piece in enumerate(pieces[1:], 1):
            further = _key(key, name, number)
            items[further] = {"pk": {"S": further}, "piece": {"B": piece}, **more}
    return items


def read_texts(
    client: "DynamoDBClient", table: str, first: Mapping[str, Item], name: str
) -> dict[str, str]:
    """Return a text of each of these first items, by their keys.

    One is not there when some of its items are of another version, or have expired.
    """
    further = {
        key: [_key(key, name, number) for number in range(1, int(item[pieces_of(name)]["N"]))]
        for key, item in first.items()
    }
    wanted = [key for keys in further.values() for key in keys]
    found = {item["pk"]["S"]: item for item in read_items(client, table, wanted, "piece", VERSION)}
    texts = {}
    for key, keys in further.items():
        item = first[key]
        pieces = [found[key] for key in keys if key in found]
        if [piece[VERSION] for piece in pieces] == [item[VERSION]] * len(keys):
            texts[key] = _unpacked([item[name]["B"], *(piece["piece"]["B"] for piece in pieces)])
    return texts


def _key(key: str, name: str, number: int) -> str:
    return f"{key}#{name}#{number}"


def _unpacked(pieces: list[bytes]) -> str:
    return decompress(b"".join(pieces)).decode()
