"""Items as what they hold: a task, what an index holds of one, or plain values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tandem.callbacks.callback import Callback, CallbackState, GivenUp, WaitingCallback
from tandem.clock import from_text
from tandem.ids import TaskId, TenantId
from tandem.reports.counts import FinishedTask
from tandem.tasks.store import ChangeRefused, Deletion
from tandem.tasks.task import (
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

_NOT_LISTED = InlinePayload("")
"""Stands for the input where an item comes from an index that does not hold it."""


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
        uncounted=plain.get("uncounted", 0),
        max_crashes=plain.get("max_crashes", 0),
        crashes=plain.get("crashes", 0),
        alone=plain.get("alone", False),
        in_company=plain.get("in_company", False),
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
        own_fault=plain.get("own_fault", False),
        listed_at=_moment(plain, "listed_at"),
        retried_as=plain.get("retried_as"),
        retry_of=plain.get("retry_of"),
        first_task=plain.get("first_task"),
        requested_by=plain.get("requested_by"),
        traceparent=plain.get("traceparent"),
        cache_key=plain.get("cache_key"),
        cached_from=plain.get("cached_from"),
        callback=_callback(plain.get("callback")),
        claim_id=plain.get("claim_id"),
        release_id=plain.get("release_id"),
        end_id=plain.get("end_id"),
    )


def refused_by(item: Mapping[str, Any]) -> ChangeRefused:
    """Return the refusal of a write that an item did not allow. It is empty where there is none."""
    deleted = "deleted_at" in item
    return ChangeRefused(from_item(item) if item and not deleted else None, deleted=deleted)


def deletion_from_item(item: Mapping[str, Any]) -> Deletion:
    """Return what is left of a deleted task."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return Deletion(
        task_id=TaskId(plain["pk"].removeprefix("task#")),
        deleted_at=from_text(plain["deleted_at"]),
        finished_at=_moment(plain, "finished_at"),
        cache_key=plain.get("cache_key"),
    )


FINISHED_ATTRIBUTES = (
    "finished",  # when, and which task
    *("tenant", "processor", "mode", "state", "attempts", "sweeps", "cached_from"),
    *("uncounted", "own_fault"),
    *("input_bytes", "output_bytes", "file_bytes", "traceparent"),
    *("created_at", "started_at", "attempt_started_at"),
)
"""What `finished_from_item` reads."""


def finished_from_item(item: Mapping[str, Any]) -> FinishedTask:
    """Return what index by_finish holds of a task."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    finished_at, _, task_id = plain["finished"].partition("#")
    return FinishedTask(
        task_id=TaskId(task_id),
        tenant=TenantId(plain["tenant"]),
        processor=plain["processor"],
        mode=Mode(plain["mode"]),
        outcome=State(plain["state"]),
        attempts=plain["attempts"],
        uncounted=plain.get("uncounted", 0),
        own_fault=bool(plain.get("own_fault", 0)),
        sweeps=plain.get("sweeps", 0),
        cached="cached_from" in plain,
        traceparent=plain.get("traceparent"),
        bytes_in=plain.get("input_bytes", 0),
        bytes_out=plain.get("output_bytes", 0) + plain.get("file_bytes", 0),
        created_at=from_text(plain["created_at"]),
        started_at=_moment(plain, "started_at"),
        attempt_started_at=_moment(plain, "attempt_started_at"),
        finished_at=from_text(finished_at),
    )


def _plain(attribute: Mapping[str, Any]) -> Any:
    [(kind, value)] = attribute.items()
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
        record["number"],
        from_text(record["started_at"]),
        _moment(record, "ended_at"),
        _error(record),
    )


def read_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's attributes as values, its payloads and its expiry as what they mean."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return plain | {
        "output": _payload(plain.get("output")),
        "file": _payload(plain.get("file")),
        "expires_at": _expiry(plain.get("expires_at")),
    }


def due_from_item(item: Mapping[str, Any]) -> DueTask:
    """Return what index by_due holds of a task."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return DueTask(
        TaskId(plain["pk"].removeprefix("task#")),
        State(plain["state"]),
        from_text(plain["due_at"]),
        plain.get("sweeps", 0),
    )


def waiting_from_item(item: Mapping[str, Any]) -> WaitingCallback:
    """Return what index by_callback holds of a task."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return WaitingCallback(
        task_id=TaskId(plain["pk"].removeprefix("task#")),
        tenant=TenantId(plain["tenant"]),
        traceparent=plain.get("traceparent"),
    )


def _callback(parts: Mapping[str, Any] | None) -> Callback | None:
    if parts is None:
        return None
    return Callback(
        url=parts["url"],
        state=CallbackState(parts["state"]),
        attempts=parts["attempts"],
        delivered_at=_moment(parts, "delivered_at"),
        failed_at=_moment(parts, "failed_at"),
        reason=GivenUp(parts["reason"]) if "reason" in parts else None,
        error=parts.get("error"),
        write_id=parts.get("write_id"),
    )


def waiting_since(item: Mapping[str, Any]) -> datetime:
    """Return since when the queued task waits that index by_due holds."""
    plain = {name: _plain(attribute) for name, attribute in item.items()}
    return _moment(plain, "not_before") or from_text(plain["created_at"])


def _payload(parts: Mapping[str, Any] | None) -> Payload | None:
    if parts is None:
        return None
    return InlinePayload(parts["text"]) if "text" in parts else StoredPayload(**parts)


def _progress(parts: Mapping[str, Any] | None) -> Progress | None:
    return Progress(parts["done"], parts.get("total"), parts["message"]) if parts else None
