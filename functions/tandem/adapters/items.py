"""A task as a DynamoDB item, and back.

Attributes have the names of the task's fields. Beside them stand the keys: `pk`; `owner` and
`created` (index by_owner); `due_shard` (by_due, with due_at); `finish_shard` and `finished`
(by_finish). The indexes of tasks in flight and of finished ones are sparse: a task that is not
of the kind lacks their keys.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

from tandem.domain.clock import from_text, to_text
from tandem.domain.counts import FinishedTask
from tandem.domain.ids import TaskId, TenantId
from tandem.domain.task import (
    AttemptRecord,
    DueTask,
    InlinePayload,
    Mode,
    Payload,
    Progress,
    State,
    StoredPayload,
    Task,
    TaskError,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

type Item = dict[str, "Attribute"]

_NOT_LISTED = InlinePayload("")
"""Stands for the input where an item comes from an index that does not hold it."""


def shard_of(identifier: str, shards: int) -> int:
    """Return which shard of an index an item belongs to: evenly spread, and always the same."""
    return crc32(identifier.encode()) % shards


def task_key(task_id: TaskId) -> Item:
    """Return the key of a task."""
    return {"pk": {"S": f"task#{task_id}"}}


def owner_partition(tenant: TenantId, shard: int) -> str:
    """Return the partition of by_owner that holds a shard of a tenant's tasks."""
    return f"{tenant}#{shard}"


def finish_partition(minute: str, shard: int) -> str:
    """Return the partition of by_finish that holds a shard of a minute's finished tasks."""
    return f"{minute}#{shard}"


def due_partition(shard: int) -> str:
    """Return the partition of by_due that holds a shard of the tasks in flight."""
    return f"due#{shard}"


def index_keys(task_id: TaskId, field: str, value: Any, shards: int) -> Item:
    """Return the index attributes that follow from a field's value; none for most fields."""
    shard = shard_of(task_id, shards)
    if field == "due_at":
        return {"due_shard": {"S": due_partition(shard)}}
    if field == "finished_at":
        moment = to_text(value)
        return {
            "finish_shard": {"S": finish_partition(moment[:16] + "Z", shard)},
            "finished": {"S": f"{moment}#{task_id}"},
        }
    return {}


def to_item(task: Task, shards: int) -> Item:
    """Return the item of a task."""
    item: Item = task_key(task.task_id)
    item["owner"] = {"S": owner_partition(task.tenant, shard_of(task.task_id, shards))}
    item["created"] = {"S": f"{to_text(task.created_at)}#{task.task_id}"}
    for field in fields(task):
        value = getattr(task, field.name)
        if field.name != "task_id" and value is not None:
            item[field.name] = encode(field.name, value)
            item |= index_keys(task.task_id, field.name, value, shards)
    return item


def encode(field: str, value: Any) -> "Attribute":
    """Return the attribute for a field's value."""
    if field == "expires_at":
        # DynamoDB's time to live reads whole seconds since 1970.
        return {"N": str(int(value.timestamp()))}
    if isinstance(value, datetime):
        return {"S": to_text(value)}
    if isinstance(value, StrEnum | str):
        return {"S": str(value)}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, tuple):
        return {"L": [encode("", part) for part in value]}
    parts = {name.name: getattr(value, name.name) for name in fields(value)}
    return {"M": {name: encode(name, part) for name, part in parts.items() if part is not None}}


def from_item(item: Mapping[str, Any]) -> Task:
    """Return the task of an item, from the table or from an index."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return Task(
        task_id=TaskId(plain["pk"].removeprefix("task#")),
        tenant=TenantId(plain["tenant"]),
        processor=plain["processor"],
        mode=Mode(plain["mode"]),
        state=State(plain["state"]),
        input=_payload(plain.get("input")) or _NOT_LISTED,
        max_attempts=plain.get("max_attempts", 0),
        created_at=from_text(plain["created_at"]),
        expires_at=_expiry(plain.get("expires_at")),
        attempts=plain["attempts"],
        history=tuple(_attempt(record) for record in plain.get("history", ())),
        sweeps=plain.get("sweeps", 0),
        due_at=_moment(plain, "due_at"),
        not_before=_moment(plain, "not_before"),
        lease_until=_moment(plain, "lease_until"),
        started_at=_moment(plain, "started_at"),
        attempt_started_at=_moment(plain, "attempt_started_at"),
        finished_at=_moment(plain, "finished_at"),
        progress=_progress(plain.get("progress")),
        output=_payload(plain.get("output")),
        file=cast("StoredPayload | None", _payload(plain.get("file"))),
        error=_error(plain),
        cancel_requested_at=_moment(plain, "cancel_requested_at"),
        retry_of=plain.get("retry_of"),
        requested_by=plain.get("requested_by"),
        traceparent=plain.get("traceparent"),
        cached_from=plain.get("cached_from"),
    )


def finished_from_item(item: Mapping[str, Any]) -> FinishedTask:
    """Return what index by_finish holds of a task."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return FinishedTask(
        task_id=TaskId(plain["pk"].removeprefix("task#")),
        tenant=TenantId(plain["tenant"]),
        processor=plain["processor"],
        mode=Mode(plain["mode"]),
        outcome=State(plain["state"]),
        attempts=plain["attempts"],
        sweeps=plain.get("sweeps", 0),
        cached="cached_from" in plain,
        created_at=from_text(plain["created_at"]),
        started_at=_moment(plain, "started_at"),
        attempt_started_at=_moment(plain, "attempt_started_at"),
        finished_at=from_text(plain["finished_at"]),
    )


def _plain(attribute: Mapping[str, Any]) -> Any:
    kind, value = next(iter(attribute.items()))
    if kind == "N":
        return int(value)
    if kind == "M":
        return {name: _plain(part) for name, part in value.items()}
    if kind == "L":
        return [_plain(part) for part in value]
    return value


def _moment(plain: Mapping[str, Any], name: str) -> datetime | None:
    return from_text(plain[name]) if name in plain else None


def _expiry(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _error(plain: Mapping[str, Any]) -> TaskError | None:
    return TaskError(**plain["error"]) if "error" in plain else None


def _attempt(record: Mapping[str, Any]) -> AttemptRecord:
    return AttemptRecord(
        from_text(record["started_at"]), _moment(record, "ended_at"), _error(record)
    )


def due_from_item(item: Mapping[str, Any]) -> DueTask:
    """Return what index by_due holds of a task."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return DueTask(
        TaskId(plain["pk"].removeprefix("task#")),
        State(plain["state"]),
        from_text(plain["due_at"]),
        plain.get("sweeps", 0),
    )


def _payload(parts: Mapping[str, Any] | None) -> Payload | None:
    if parts is None:
        return None
    return InlinePayload(parts["text"]) if "text" in parts else StoredPayload(**parts)


def _progress(parts: Mapping[str, Any] | None) -> Progress | None:
    return Progress(parts["done"], parts.get("total"), parts["message"]) if parts else None
