"""The functions' logs as they come, one readable line each."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.run.aws import Aws

if TYPE_CHECKING:
    from tandem_tools.run.stack import StackDescription

FINAL_STATES = ("succeeded", "failed", "cancelled")
OVERLAP_MS = 5_000  # read again: an event can be stamped a little before it can be read
PLATFORM_LINES = ("START RequestId:", "END RequestId:", "REPORT RequestId:")
NOT_SHOWN_MESSAGES = frozenset({"counted"})
"""A report's examples, which its line does not need."""
SHOWN_ELSEWHERE = frozenset(
    {"level", "message", "timestamp", "service", "location", "exception", "stack"}
)
CODE = re.compile(r".*/(?:code|task)/(?=[\w/]+\.py:\d+$)")
"""Where the emulator, or Lambda, has a function's code."""
NOT_SHOWN = SHOWN_ELSEWHERE | frozenset(
    {
        "cold_start",
        "correlation_id",
        "function_arn",
        "function_memory_size",
        "function_name",
        "function_request_id",
        "sampling_rate",
        "stack_trace",
        "taskName",
        "xray_trace_id",
    },
)


class FunctionLogs:
    """What the functions have written since the last look."""

    def __init__(self, aws: Aws, stack: "StackDescription") -> None:
        """Follow the functions of a stack."""
        self._aws = aws
        self._stack = stack
        self._tails = {name: _Tail(aws, group) for name, group in stack.log_groups.items()}

    def read(self) -> list[str]:
        """Return what is new, one readable line for each event, oldest first."""
        found = [
            (timestamp_ms, readable(name, timestamp_ms, message, self._error_text))
            for name, tail in self._tails.items()
            for timestamp_ms, message in tail.read()
        ]
        found.sort(key=lambda event: event[0])
        return [line for _, line in found if line]

    def _error_text(self, task_id: str, attempt: int) -> str:
        """Return what the task's owner is told of an attempt that failed, while that is recorded.

        The functions log no text of an error. On this machine the task's record has it.
        """
        try:
            found = self._aws.dynamodb.get_item(
                TableName=self._stack.table,
                Key={"pk": {"S": f"task#{task_id}"}},
                ProjectionExpression="#error, attempts",
                ExpressionAttributeNames={"#error": "error"},
            )
        except (BotoCoreError, ClientError):
            return ""
        task = found.get("Item", {})
        if "error" not in task or task["attempts"]["N"] != str(attempt):
            return ""
        text: str = task["error"]["M"]["message"]["S"]
        return text


class _Tail:
    """What is new in a log group. An invocation writes a stream of its own, all at once."""

    def __init__(self, aws: Aws, group: str) -> None:
        self._aws = aws
        self._group = group
        self._since_ms = 0
        self._seen: dict[str, int] = {}

    def read(self) -> list[tuple[int, str]]:
        """Return the time and text of each event that came since the last call."""
        pages = self._aws.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._group,
            startTime=self._since_ms,
        )
        events = [event for page in pages for event in page["events"]]
        new = [event for event in events if event["logStreamName"] not in self._seen]
        self._seen |= {event["logStreamName"]: event["timestamp"] for event in new}
        newest = max(self._seen.values(), default=self._since_ms)
        self._since_ms = max(self._since_ms, newest - OVERLAP_MS)
        self._seen = {name: at for name, at in self._seen.items() if at >= self._since_ms}
        return [(event["timestamp"], event["message"]) for event in new]


def readable(
    name: str,
    timestamp_ms: int,
    message: str,
    error_text: Callable[[str, int], str] = lambda task_id, attempt: "",  # noqa: ARG005
) -> str:
    """Return a log event as one line, or nothing for the platform's lines and for metrics.

    A report is a sentence: what ended in its minute, and what is still to be done. An attempt that
    failed is followed by where, and by the error.

    Args:
        name: the function's.
        timestamp_ms: when it was logged.
        message: what was logged.
        error_text: says what a task's owner is told of a failed attempt, by its number.
    """
    text = message.strip()
    if not text or text.startswith(PLATFORM_LINES):
        return ""
    at = datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone().strftime("%H:%M:%S")
    entry = _json_object(text)
    if entry is None:
        return f"{at} {name:<6} {text}"
    if "_aws" in entry or entry.get("message") in NOT_SHOWN_MESSAGES:
        return ""
    if name == "report" and entry.get("message") == "report":
        return f"{at} {name:<6} {_report(entry)}"
    fields = " ".join(
        f"{key}={_short(value)}"
        for key, value in entry.items()
        if key not in NOT_SHOWN and value not in (None, "")
    )
    said = entry.get("message", "")
    words = said if isinstance(said, str) else json.dumps(said)
    line = f"{at} {name:<6} {entry.get('level', ''):<7} {words}  {fields}".rstrip()
    if entry.get("exception"):
        return f"{line}\n{entry['exception']}"
    return "\n".join([line, *_traceback(entry.get("stack"), _error(entry, error_text))])


def _error(entry: Mapping[str, Any], error_text: Callable[[str, int], str]) -> str:
    """Return the class and text of the error that ended an attempt, where the text is known."""
    known = {"task_id", "attempt", "error_type"} <= entry.keys()
    if not known or entry.get("message") != "attempt failed":
        return ""
    text = error_text(entry["task_id"], entry["attempt"]).replace("\n", "\n     ")
    return f"{entry['error_type']}: {text}" if text else ""


def _traceback(stack: object, error: str) -> list[str]:
    """Return where an error was raised, innermost first, as paths of the project."""
    if not isinstance(stack, list) or not stack:
        return [f"  {error}"] if error else []
    innermost, *outer = (CODE.sub("functions/", str(place)) for place in reversed(stack))
    return [f"  at {innermost} {error}".rstrip(), *(f"  by {place}" for place in outer)]


_LEVELS = {"waiting": "waiting", "in_flight": "in flight", "dead_letters": "dead letters"}


def _report(entry: dict[str, Any]) -> str:
    minute = datetime.fromisoformat(entry["window"]).astimezone().strftime("%H:%M")
    tasks = entry["tasks"]
    ended = ", ".join(f"{entry[state]} {state}" for state in FINAL_STATES if entry[state])
    said = f"{tasks} {'task' if tasks == 1 else 'tasks'}: {ended}" if tasks else "no tasks"
    if entry["late"]:
        said += f", {entry['late']} of them late"
    known = [f"{words} {entry[name]}" for name, words in _LEVELS.items() if name in entry]
    if known:
        said += f"; {', '.join(known)}"
    return f"{minute}  {said}"


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return found


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
