"""A task as a DynamoDB item, and back.

Attributes have the names of the task's fields, and the keys stand beside them.

- `pk` is the table's key, and `owner` with `created` that of index by_owner.
- `due_shard` with due_at is the key of by_due, `finish_shard` with `finished` that of by_finish.
- `callback_shard` with finished is the key of by_callback. A task has it until the queue has the
  callback, and again from when it was given up until a decision.
- `view` with `view_order` is the key of by_view. A failed task stands in the view of those that
  wait for a decision, a deleted one in that of those to be purged.

All indexes but the first are sparse: a task that is not of the kind lacks their keys. A flag that
is not set, and a field without a value, has no attribute. A deleted task has `deleted_at`, and of
the rest what reports count.
"""

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tandem.clock import to_text
from tandem.ids import TaskId, TenantId
from tandem.tasks.task import State, Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

_SIZED = frozenset({"input", "output", "file"})
"""Fields whose sizes index by_finish holds in their place."""

_INDEXED = _SIZED | {"due_at", "finished_at", "callback", "listed_at"}
"""Fields that attributes of indexes follow from."""

_FIELDS = tuple(field.name for field in fields(Task))

type Item = dict[str, "Attribute"]


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
    """Return the partition of by_due that holds a shard of the tasks that wait."""
    return f"due#{shard}"


def lease_partition(shard: int) -> str:
    """Return the partition of by_due that holds a shard of the tasks that run.

    They stand apart: many that wait for too long do not stand before one whose worker died.
    """
    return f"lease#{shard}"


def later_partition(shard: int) -> str:
    """Return the partition of by_due that holds a shard of the tasks whose time is to come.

    They are due when their time has come, and are not late then: so they stand apart.
    """
    return f"later#{shard}"


def view_partition(view: str, shard: int) -> str:
    """Return the partition of an index that holds a shard of a view."""
    return f"{view}#{shard}"


FAILED_VIEW = "failed"
"""The failed tasks that wait for a decision, in the order of their failures."""

CALLBACK_VIEW = "callback"
"""In by_callback: the callbacks that the queue was not given."""

FAILED_CALLBACK_VIEW = "failed-callback"
"""In by_callback: the callbacks that were given up, in the order of their tasks' ends."""

DELETED_VIEW = "deleted"
"""The deleted tasks that a report may still count, in the order of their ends."""

_STAYS = frozenset(
    {
        *("tenant", "processor", "mode", "state", "attempts", "sweeps", "cached_from"),
        *("traceparent", "created_at", "started_at", "attempt_started_at", "finished_at"),
        *("expires_at", "cache_key", "uncounted", "own_fault"),
    }
)
"""What stays of a deleted task: what reports count, and where its result may be kept."""

DELETED_ATTRIBUTES = (
    *(field for field in _FIELDS if field not in _STAYS | {"task_id"}),
    *("owner", "created", "due_shard", "callback_shard"),
)
"""What leaves the item of a task that is deleted, its keys in lists included."""

PURGED_ATTRIBUTES = (
    *sorted(_STAYS - {"expires_at"}),
    *("finish_shard", "finished", "view", "view_order"),
    *(f"{field}_bytes" for field in sorted(_SIZED)),
)
"""What leaves it when no report counts it any more: its id stays."""


def callback_partition(shard: int) -> str:
    """Return the partition of by_callback that holds a shard of the callbacks not yet queued."""
    return f"callback#{shard}"


def index_keys(
    task_id: TaskId, field: str, value: Any, state: State, shards: int, *, not_before: Any = None
) -> Item:
    """Return the index attributes that follow from a field's value. None for most fields.

    Args:
        task_id: the task.
        field: the field.
        value: its value.
        state: the task's state with it.
        shards: how many parts the indexes have.
        not_before: until when the task waits. None where that is over.
    """
    if field not in _INDEXED:  # before the shard is reckoned: most fields are none of these
        return {}
    shard = shard_of(task_id, shards)
    if field == "due_at":
        partition = lease_partition if state is State.RUNNING else due_partition
        if value == not_before:
            partition = later_partition
        return {"due_shard": {"S": partition(shard)}}
    if field in _SIZED:
        return {f"{field}_bytes": {"N": str(value.size_bytes)}}
    if field == "finished_at":
        moment = to_text(value)
        return {
            "finish_shard": {"S": finish_partition(moment[:16] + "Z", shard)},
            "finished": {"S": f"{moment}#{task_id}"},
        }
    if field == "callback":
        return {"callback_shard": {"S": view_partition(CALLBACK_VIEW, shard)}}
    return {
        "view": {"S": view_partition(FAILED_VIEW, shard)},
        "view_order": {"S": f"{to_text(value)}#{task_id}"},
    }


def to_item(task: Task, shards: int) -> Item:
    """Return the item of a task."""
    item: Item = task_key(task.task_id)
    item["owner"] = {"S": owner_partition(task.tenant, shard_of(task.task_id, shards))}
    item["created"] = {"S": f"{to_text(task.created_at)}#{task.task_id}"}
    for field in _FIELDS:
        value = getattr(task, field)
        if field != "task_id" and value is not None and value is not False:
            item[field] = encode(field, value)
            item |= index_keys(
                task.task_id, field, value, task.state, shards, not_before=task.not_before
            )
    return item


def encode(field: str, value: Any) -> "Attribute":
    """Return the attribute for a field's value."""
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, datetime):
        # DynamoDB's time to live reads whole seconds since 1970.
        seconds = field == "expires_at"
        return {"N": str(int(value.timestamp()))} if seconds else {"S": to_text(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, tuple):
        return {"L": [encode("", part) for part in value]}
    parts = {name: getattr(value, name) for name in value.__slots__}
    held = {name: part for name, part in parts.items() if part is not None and part is not False}
    return {"M": {name: encode(name, part) for name, part in held.items()}}
