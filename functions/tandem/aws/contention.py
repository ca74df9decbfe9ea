"""Writes that meet another's transaction: they are made again, for a while."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from tandem.contended import Contended

_TRIES = 8
_LONGEST_PAUSE_SECONDS = 0.4

_HELD = frozenset({"TransactionConflictException", "TransactionInProgressException"})
_HELD_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
REFUSED = "ConditionalCheckFailed"
"""The reason of a transaction's action whose condition did not hold."""


def persist[T](client: Any, write: Callable[[], T]) -> T:
    """Make a write, again while a transaction of somebody else holds one of its items.

    The SDK does not try these again: to it they are errors of the caller.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html

    Raises:
        Contended: the item was held each time. Nothing was written.
    """
    for tries in range(_TRIES):
        try:
            return write()
        except client.exceptions.ClientError as error:
            if not _held(error.response):
                raise
        longest = min(0.02 * 2**tries, _LONGEST_PAUSE_SECONDS)
        time.sleep(random.uniform(0, longest))  # noqa: S311 - spreads tries, and keeps no secret
    raise Contended


def _held(response: Mapping[str, Any]) -> bool:
    if response["Error"]["Code"] in _HELD:
        return True
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", ())}
    return REFUSED not in codes and not codes.isdisjoint(_HELD_REASONS)
