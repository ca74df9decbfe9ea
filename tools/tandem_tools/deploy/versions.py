"""Old versions of functions: each takes code storage, and with SnapStart a price of its own."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tandem_tools.deploy.aws import Account

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

KEPT = 3
"""How many of a function's newest versions stay: the live one, and two to go back to by hand."""


def delete_old_versions(account: Account, functions: Iterable[str]) -> int:
    """Delete versions but for the newest and those that an alias names. Return how many.

    CloudFormation keeps each version that a later release replaces, for ever.

    Args:
        account: where the functions are.
        functions: their names.
    """
    deleted = 0
    for name in functions:
        named = _named(account.functions, name)
        numbers = sorted(_numbers(account.functions, name), reverse=True)
        for number in numbers[KEPT:]:
            if str(number) not in named:
                # By a name of its own: who may delete only such names can delete no function.
                account.functions.delete_function(FunctionName=f"{name}:{number}")
                deleted += 1
    return deleted


def _numbers(client: "LambdaClient", name: str) -> list[int]:
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    versions = [version["Version"] for page in pages for version in page["Versions"]]
    return [int(version) for version in versions if version != "$LATEST"]


def _named(client: "LambdaClient", name: str) -> set[str]:
    """Return the versions that an alias sends requests to, a part of them too."""
    pages = client.get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = [alias for page in pages for alias in page["Aliases"]]
    weights = [
        alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}) for alias in aliases
    ]
    return {alias["FunctionVersion"] for alias in aliases} | {
        version for part in weights for version in part
    }
