"""A change of a task as one conditional UpdateItem."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tandem.aws.items import Item, encode, index_keys
from tandem.ids import TaskId
from tandem.tasks.transitions import Change, Guard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

_INDEX_KEYS_OF = {"due_at": ("due_shard",), "listed_at": ("view", "view_order")}


class Expression:
    """The three expressions of an UpdateItem call, built up with their names and values.

    Every attribute goes by a placeholder, since DynamoDB reserves words such as `state`.
    """

    def __init__(self, task_id: TaskId, change: Change, shards: int) -> None:
        self.names: dict[str, str] = {}
        self.values: Item = {}
        self._set: list[str] = []
        self._remove: list[str] = []
        self.condition = " OR ".join(f"({self._guard(guard)})" for guard in change.guards)
        self._assign("state", encode("state", change.to))
        self._to = change.to
        for field, value in change.sets.items():
            self._field(task_id, field, value, shards, not_before=change.sets.get("not_before"))
        if change.write_field is not None:
            self._assign(change.write_field, encode("", change.write_id))
        if change.counts_sweep:
            self._count("sweeps")
        if change.starts_attempt_at is not None:
            self._start_attempt(change.starts_attempt_at)

    @property
    def update(self) -> str:
        """The update expression."""
        removed = f" REMOVE {', '.join(self._remove)}" if self._remove else ""
        return f"SET {', '.join(self._set)}{removed}"

    def _name(self, attribute: str) -> str:
        self.names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    def _value(self, value: "Attribute") -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def _guard(self, guard: Guard) -> str:
        terms = [f"{self._name('state')} = {self._encoded('state', guard.state)}"]
        if guard.fence is not None:
            terms.append(f"{self._name('attempts')} = {self._encoded('', guard.fence.attempt)}")
            lease = self._encoded("", guard.fence.lease_until)
            terms.append(f"{self._name('lease_until')} = {lease}")
        if guard.lease_expired_at is not None:
            terms.append(self._passed("lease_until", guard.lease_expired_at))
        if guard.ready_at is not None:
            terms.append(self._passed("not_before", guard.ready_at))
        if guard.due_at is not None:
            terms.append(f"{self._name('due_at')} = {self._encoded('', guard.due_at)}")
        if guard.cancel_requested is not None:
            exists = "attribute_exists" if guard.cancel_requested else "attribute_not_exists"
            terms.append(f"{exists}({self._name('cancel_requested_at')})")
        if guard.alone is not None:
            exists = "attribute_exists" if guard.alone else "attribute_not_exists"
            terms.append(f"{exists}({self._name('alone')})")
        if guard.attempts_left is not None:
            compared = "<" if guard.attempts_left else ">="
            terms.append(f"{self._name('attempts')} {compared} {self._name('max_attempts')}")
        return " AND ".join(terms)

    def _passed(self, attribute: str, now: Any) -> str:
        name = self._name(attribute)
        return f"(attribute_not_exists({name}) OR {name} <= {self._encoded('', now)})"

    def _encoded(self, field: str, value: Any) -> str:
        return self._value(encode(field, value))

    def _assign(self, attribute: str, value: "Attribute") -> None:
        self._set.append(f"{self._name(attribute)} = {self._value(value)}")

    def _field(
        self, task_id: TaskId, field: str, value: Any, shards: int, *, not_before: Any
    ) -> None:
        if value is None or value is False:
            gone = (field, *_INDEX_KEYS_OF.get(field, ()))
            self._remove.extend(self._name(attribute) for attribute in gone)
            return
        self._assign(field, encode(field, value))
        keys = index_keys(task_id, field, value, self._to, shards, not_before=not_before)
        for attribute, key in keys.items():
            self._assign(attribute, key)

    def _start_attempt(self, now: datetime) -> None:
        self._count("attempts")
        moment = self._encoded("", now)
        started = self._name("started_at")
        self._set.append(f"{started} = if_not_exists({started}, {moment})")
        self._set.append(f"{self._name('attempt_started_at')} = {moment}")

    def _count(self, attribute: str) -> None:
        name = self._name(attribute)
        none, one = self._value({"N": "0"}), self._value({"N": "1"})
        self._set.append(f"{name} = if_not_exists({name}, {none}) + {one}")
