"""The events of a stack: printed as they come, and asked for what failed and what stayed."""

import time
from itertools import takewhile
from typing import TYPE_CHECKING

from tandem_tools.deploy.aws import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

_DELETED = "DELETE_COMPLETE"


class Events:
    """What happens to a stack after this was made."""

    def __init__(self, account: Account, stack_id: str) -> None:
        self._account = account
        self._stack_id = stack_id
        newest = next(self._newest_first())
        self._last_seen = newest["EventId"]
        self._deleted = self._of_the_stack(newest) and newest["ResourceStatus"] == _DELETED
        self._events: list[StackEventTypeDef] = []

    def follow(self, poll_seconds: float) -> str:
        """Print each event until the operation has ended, and return the stack's status.

        The stack's own events say when: its description may still show the status before.
        """
        status = _DELETED if self._deleted else ""  # nothing comes after that
        while not status or status.endswith("_IN_PROGRESS"):
            time.sleep(poll_seconds)
            for event in self._new():
                if self._of_the_stack(event):
                    status = event["ResourceStatus"]
                _show(event)
        return status

    def failures(self) -> dict[str, str]:
        """Return the resources that failed, oldest first, each with its last reason.

        What was only stopped because something else had failed is left out.
        """
        return {
            event["LogicalResourceId"]: reason
            for event in self._events
            if event["ResourceStatus"].endswith("_FAILED")
            and not self._of_the_stack(event)
            and "cancelled" not in (reason := event.get("ResourceStatusReason", "no reason given"))
        }

    def kept(self) -> "list[StackEventTypeDef]":
        """Return what a deletion has left alone, also before this looked, oldest first."""
        found = [
            event for event in self._newest_first() if event["ResourceStatus"] == "DELETE_SKIPPED"
        ]
        return found[::-1]

    def _new(self) -> "list[StackEventTypeDef]":
        found = takewhile(lambda event: event["EventId"] != self._last_seen, self._newest_first())
        new = list(found)[::-1]
        if new:
            self._last_seen = new[-1]["EventId"]
        self._events += new
        return new

    def _newest_first(self) -> "Iterator[StackEventTypeDef]":
        pages = self._account.cloudformation.get_paginator("describe_stack_events")
        for page in pages.paginate(StackName=self._stack_id):
            yield from page["StackEvents"]

    def _of_the_stack(self, event: "StackEventTypeDef") -> bool:
        return event.get("PhysicalResourceId") == self._stack_id


def _show(event: "StackEventTypeDef") -> None:
    reason = event.get("ResourceStatusReason", "")
    print(
        f"{event['Timestamp']:%H:%M:%S}  {event['ResourceStatus']:<28}"
        f"{event['LogicalResourceId']}" + (f": {reason}" if reason else ""),
        flush=True,
    )
