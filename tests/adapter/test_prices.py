"""The table of costs: its counts are counted on the application, its page is what it computes."""

from collections.abc import Iterator
from typing import Any

import pytest

from delivery import costs as priced
from local.paths import PROJECT
from local.template import load_template
from tests.adapter.test_costs import ECHO, Costs

type Item = dict[str, Any]


def projected(item: Item | None, index: Item) -> Item | None:
    """Return an item's entry in an index; nothing where a key of the index is missing."""
    keys = [one["AttributeName"] for one in index["KeySchema"]]
    if item is None or not all(key in item for key in keys):
        return None
    names = ["pk", *keys, *index["Projection"]["NonKeyAttributes"]]
    return {name: item[name] for name in names if name in item}


def index_writes(before: Item | None, after: Item | None, index: Item) -> int:
    """Return what DynamoDB charges for an index when an item changes, in writes.

    An entry that comes, goes or changes is one; one whose key changes goes and comes.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    keys = [one["AttributeName"] for one in index["KeySchema"]]
    old, new = projected(before, index), projected(after, index)
    if old == new:
        return 0
    if old is None or new is None:
        return 1
    return 2 if any(old[key] != new[key] for key in keys) else 1


class Table:
    """Counts the write units of every change of the table."""

    def __init__(self, client: Any, name: str) -> None:
        self.units = 0
        self._client, self._name = client, name
        self._items: dict[str, Item] = {}
        properties = load_template()["Resources"]["TaskTable"]["Properties"]
        self._indexes = properties["GlobalSecondaryIndexes"]
        client.meta.events.register("after-call", self._look)

    def _look(self, model: Any, **_: Any) -> None:
        if model.name not in {"PutItem", "UpdateItem"}:
            return
        found = {one["pk"]["S"]: one for one in self._client.scan(TableName=self._name)["Items"]}
        for key, after in found.items():
            before = self._items.get(key)
            if before != after:
                largest = max(size(after), size(before or {}))
                self.units += -(-largest // 1024)
                self.units += sum(index_writes(before, after, one) for one in self._indexes)
        self._items = found


def size(item: Item) -> int:
    """Return an item's bytes, about as DynamoDB counts them: names and values."""
    return sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())


@pytest.fixture
def counted(on_moto: Any) -> Iterator[tuple[Costs, Table]]:
    running = Costs(on_moto)
    clients = on_moto.clients
    (name,) = clients.dynamodb.list_tables()["TableNames"]
    yield running, Table(clients.dynamodb, name)
    running.handler.stop()


def test_an_offline_task_takes_as_many_write_units_as_are_priced(
    counted: tuple[Costs, Table],
) -> None:
    costs, table = counted
    costs.ask("POST", "/process-offline", ECHO)
    assert costs.deliver(costs.receive()) == 0
    assert table.units == priced.OFFLINE_WRITES


def test_an_online_task_takes_as_many_write_units_as_are_priced(
    counted: tuple[Costs, Table],
) -> None:
    costs, table = counted
    costs.ask("POST", "/process-online", ECHO)
    assert table.units == priced.ONLINE_WRITES


def test_the_page_shows_what_is_computed() -> None:
    assert priced.table() in (PROJECT / "docs" / "deploy.md").read_text()


def test_the_sum_is_of_its_parts() -> None:
    use = priced.OFFLINE.units
    by_hand = (
        2 * 1.00
        + 3 * 0.20
        + (2 * 0.03 * 1 + 0.05 * 1769 / 1024) * 13.3334
        + 11 * 0.625
        + 1.5 * 0.125
        + 3 * 0.50
        + 4 * 0.50
        + 0.1 * 5.00
    )
    assert priced.OFFLINE.total == pytest.approx(by_hand)
    assert use["logs"] == 4
    assert priced.ONLINE.total < priced.OFFLINE.total
