"""`make restore`: bring a stack's table back to a moment.

DynamoDB restores into a new table, and the stack's is CloudFormation's. So its items are made those
of the restored one, while nothing of the stack runs. Each step may be repeated: a run that was
cut short goes on where it was.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import boto3

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.deploy.refusals import cut_short
from tandem_tools.deploy.stacks import kind_of_change, stuck
from tandem_tools.errors import ToolError
from tandem_tools.errors import ask as asked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STOPPED = ("Api", "Worker", "Callback", "Report")
"""The functions that read or write the table, by the start of their names in the template."""
POLL_SECONDS = 5.0
_REMOVE = "aws dynamodb delete-table --table-name"
_BATCH = 25
_DRAIN_MARGIN_SECONDS = 5

type Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    """The parts of a stack that a restore touches."""

    account: Account
    table: str
    functions: tuple[str, ...]
    longest_seconds: int
    """How long what runs when the stack is stopped may go on: the longest of their timeouts."""
    reserved: Mapping[str, int]
    """What someone has reserved of the account's concurrency, by function. Not what a restore has
    taken away."""

    @classmethod
    def of(cls, account: Account, environment: Environment) -> "Stack":
        """Return the parts of a stack.

        Raises:
            ToolError: there is no such stack, or it is not deployed.
        """
        name = environment.stack_name
        stack = account.need_stack(name)
        if kind_of_change(account, environment, stack) != "UPDATE":
            raise stuck(environment, stack["StackStatus"], {})
        outputs = account.outputs(name)
        functions = tuple(outputs[f"{stopped}FunctionName"] for stopped in STOPPED)
        client = account.functions
        timeouts = [
            client.get_function_configuration(FunctionName=function)["Timeout"]
            for function in functions
        ]
        found = {
            function: client.get_function_concurrency(FunctionName=function)
            for function in functions
        }
        reserved = {
            function: concurrency
            for function, answer in found.items()
            if (concurrency := answer.get("ReservedConcurrentExecutions", 0))
        }
        return cls(account, outputs["TableName"], functions, max(timeouts), reserved)


def restore(name: str, to: str, *, ask: bool = True) -> None:
    """Bring an environment's table back to what it was at a moment.

    Args:
        name: the environment's.
        to: the moment in ISO 8601, with its offset.
        ask: print what is undone, and wait for the stack's name.

    Raises:
        ToolError: it was refused, or cannot be done.
    """
    moment = _moment(to)
    account, environment = Account(), Environment.read(name)
    print(f"{environment.stack_name}: {account.identity()}")
    stack = Stack.of(account, environment)
    dynamodb = boto3.client("dynamodb")
    restored = f"{stack.table}-at-{moment:%Y%m%d-%H%M%S}"
    found = _status(dynamodb, restored)
    if found is None:
        _require_restorable(dynamodb, stack.table, moment)
    print(_plan(stack.table, restored, moment))
    if ask and asked(f"Type {environment.stack_name} to go on: ") != environment.stack_name:
        raise ToolError("Nothing was changed.", "Type the stack's name.")
    again = f"make restore ENV={environment.name} TO={moment:%Y-%m-%dT%H:%M:%SZ}"
    with cut_short(
        f"Nothing of {environment.stack_name} was changed or stopped. {restored} may be there, or "
        f"be made: {again} goes on with it. Not to go on: {_REMOVE} {restored}"
    ):
        _restore_beside(dynamodb, stack, restored, moment, exists=found is not None)
    by_hand = "\n    ".join(commands_that_start(stack))
    with cut_short(
        f"The functions of {environment.stack_name} may be stopped, and no deployment starts them. "
        f"Go on with the same moment: {again}\n  → Or let them run with the table as it is now:"
        f"\n    {by_hand}"
    ):
        print(f"Stopping the functions, in {stack.longest_seconds} s at the least …", flush=True)
        stop(stack)
        written, deleted = make_same(dynamodb, restored, stack.table)
        print(f"{written} items are as they were, {deleted} that came later are deleted.")
        if different(dynamodb, restored, stack.table):
            raise ToolError(
                f"{stack.table} is not as {restored}: something wrote while it was copied.",
                "Find what writes, and run this again. The functions stay stopped.",
            )
    with cut_short(
        f"{stack.table} is restored. Another make restore would undo what comes from now on: start "
        f"the functions that are still stopped by hand:\n    {by_hand}"
    ):
        start(stack)
    print(
        f"{environment.stack_name} runs again, with its table of {moment:%Y-%m-%d %H:%M:%S} UTC.\n"
        f"The restored table stays, and costs: {_REMOVE} {restored}"
    )


def _restore_beside(
    dynamodb: "DynamoDBClient", stack: Stack, restored: str, moment: datetime, *, exists: bool
) -> None:
    """Have the table of that moment beside the stack's, and return when it can be read."""
    if not exists:
        print(f"Restoring {restored} …", flush=True)
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=stack.table, TargetTableName=restored, RestoreDateTime=moment
        )
    while (status := _status(dynamodb, restored)) != "ACTIVE":
        if status is None:
            raise ToolError(f"{restored} is gone.", "Start again.")
        time.sleep(POLL_SECONDS)


def stop(stack: Stack) -> None:
    """Let no function of the stack run, and wait until those end that do.

    The mappings first: where a function is refused, its queue counts receives all the same.
    """
    for mapping in _mappings(stack):
        if mapping["State"] not in {"Disabled", "Disabling"}:
            _switch(stack, mapping["UUID"], enabled=False)
    while any(mapping["State"] != "Disabled" for mapping in _mappings(stack)):
        time.sleep(POLL_SECONDS)
    for function in stack.functions:
        stack.account.functions.put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=0
        )
    time.sleep(stack.longest_seconds + _DRAIN_MARGIN_SECONDS)


def start(stack: Stack) -> None:
    """Let the functions of the stack run again, with what was reserved for them before."""
    for function in stack.functions:
        if reserved := stack.reserved.get(function):
            stack.account.functions.put_function_concurrency(
                FunctionName=function, ReservedConcurrentExecutions=reserved
            )
        else:
            stack.account.functions.delete_function_concurrency(FunctionName=function)
    for mapping in _mappings(stack):
        _switch(stack, mapping["UUID"], enabled=True)


def commands_that_start(stack: Stack) -> list[str]:
    """Return what start() does, as commands for someone at a terminal."""
    functions = [
        f"aws lambda put-function-concurrency --function-name {name} "
        f"--reserved-concurrent-executions {stack.reserved[name]}"
        if name in stack.reserved
        else f"aws lambda delete-function-concurrency --function-name {name}"
        for name in stack.functions
    ]
    mappings = [
        f"aws lambda update-event-source-mapping --enabled --uuid {mapping['UUID']}"
        for mapping in _mappings(stack)
    ]
    return functions + mappings


def _switch(stack: Stack, uuid: str, *, enabled: bool) -> None:
    """Switch a mapping. One that is being switched takes no other switch until that is done."""
    client = stack.account.functions
    while True:
        try:
            client.update_event_source_mapping(UUID=uuid, Enabled=enabled)
        except client.exceptions.ResourceInUseException:
            time.sleep(POLL_SECONDS)
        else:
            return


def _mappings(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.account.functions.get_paginator("list_event_source_mappings")
    found = {
        mapping["UUID"]: dict(mapping)
        for function in stack.functions
        for qualifier in ("", ":live")
        for page in pages.paginate(FunctionName=function + qualifier)
        for mapping in page["EventSourceMappings"]
    }
    return list(found.values())


def make_same(dynamodb: "DynamoDBClient", source: str, target: str) -> tuple[int, int]:
    """Make a table's items those of another. Return how many were put, and how many deleted."""
    later = _hashes(dynamodb, target)
    changed = (
        item
        for item in _items(dynamodb, source)
        if later.pop(item["pk"]["S"], None) != hash(_text(item))
    )
    written = 0
    for items in batched(changed, _BATCH, strict=False):
        _write(dynamodb, target, [{"PutRequest": {"Item": item}} for item in items])
        written += len(items)
    for keys in batched(later, _BATCH, strict=False):
        _write(dynamodb, target, [{"DeleteRequest": {"Key": {"pk": {"S": key}}}} for key in keys])
    return written, len(later)


def different(dynamodb: "DynamoDBClient", source: str, target: str) -> bool:
    """Return whether two tables hold other items."""
    return _hashes(dynamodb, source) != _hashes(dynamodb, target)


def _hashes(dynamodb: "DynamoDBClient", table: str) -> dict[str, int]:
    return {item["pk"]["S"]: hash(_text(item)) for item in _items(dynamodb, table)}


def _text(value: Any) -> str:
    """Return a value as a text that does not depend on the order of names and of sets."""
    match value:
        case {"SS": members} | {"NS": members} | {"BS": members}:
            return str(sorted(map(str, members)))
        case dict():
            return str(sorted((name, _text(part)) for name, part in value.items()))
        case list():
            return str([_text(part) for part in value])
    return str(value)


def _items(dynamodb: "DynamoDBClient", table: str) -> Iterator[Item]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for page in pages:
        yield from page["Items"]


def _write(dynamodb: "DynamoDBClient", table: str, requests: list[Any]) -> None:
    left: Any = {table: requests}
    while left := dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems"):
        time.sleep(POLL_SECONDS)


def _status(dynamodb: "DynamoDBClient", table: str) -> str | None:
    try:
        return dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        pass
    raise ToolError(
        f"'{text}' is no moment with an offset.", "Write it so: TO=2026-11-26T12:00:00Z"
    )


def _require_restorable(dynamodb: "DynamoDBClient", table: str, moment: datetime) -> None:
    described = dynamodb.describe_continuous_backups(TableName=table)
    recovery = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
        raise ToolError(
            f"{table} has no point-in-time recovery.", "It was switched off by hand: nothing helps."
        )
    first, last = recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]
    if not first <= moment <= last:
        raise ToolError(
            f"{table} can be restored to a moment from {first} to {last}, not to {moment}.",
            "Choose one of these.",
        )


def _plan(table: str, restored: str, moment: datetime) -> str:
    return (
        f"The table {table} goes back to {moment:%Y-%m-%d %H:%M:%S} UTC, by way of {restored}.\n"
        "Nothing is accepted meanwhile. What came since is undone: tasks that were submitted are "
        "gone,\ntasks that ended run again and with them their effects, windows are reported "
        "again.\ndocs/operations.md, Restore the table, says what to look at."
    )
