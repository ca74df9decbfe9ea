"""The table of costs: its counts are counted on the application, its page is what it computes."""

import json
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from tandem.reports.run import run
from tandem.telemetry import logger
from tandem_tools.deploy import costs as priced
from tandem_tools.paths import PROJECT
from tandem_tools.template import load_template
from tests.adapter.conftest import Ports
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


@pytest.mark.filterwarnings("ignore:This metric doesn't meet the requirements")  # of the past
def test_a_run_of_the_report_at_rest_takes_as_much_as_is_priced(
    counted: tuple[Costs, Table],
    on_moto: Ports,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A query of nothing is half a unit, and an item below 4 KB, read as it is now, a whole one.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tandem/test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report")
    costs, table = counted
    costs.wiring.report_store, costs.wiring.sink_store = on_moto.reports, on_moto.sinks
    for _ in range(3):  # until it has nothing to catch up with
        costs.clock.advance(60)
        run(costs.wiring)
    units: Counter[str] = Counter()
    dynamodb, sqs = clients_of(on_moto)
    capsys.readouterr()
    monkeypatch.setattr(logger.registered_handler, "stream", log := StringIO())
    dynamodb.meta.events.register(
        "provide-client-params",
        lambda params, model, **_: units.update(charged(model.name, params)),
    )
    sqs.meta.events.register("before-call", lambda **_: units.update(queue=1))
    table.units = 0
    costs.clock.advance(60)
    run(costs.wiring)
    units["write"] += table.units
    assert units == priced.REPORT_CALLS
    lines = (capsys.readouterr().out + log.getvalue()).splitlines()
    assert sum(map(len, lines)) < priced.LOG_KB_REPORT * 1000
    emitted = [json.loads(line) for line in lines if "_aws" in line]
    names = [one["Metrics"] for line in emitted for one in line["_aws"]["CloudWatchMetrics"]]
    assert sum(map(len, names)) == priced.METRICS_AT_REST


def clients_of(ports: Ports) -> tuple[Any, Any]:
    assert ports.clients is not None
    return ports.clients.dynamodb, ports.clients.sqs


def charged(operation: str, params: Item) -> dict[str, float]:
    """Return the units that a call of the table is charged for, when it finds nothing larger."""
    read = 1.0 if params.get("ConsistentRead") else 0.5
    match operation:
        case "Query" | "GetItem":
            return {"read": read}
        case "BatchGetItem":
            asked = params["RequestItems"].values()
            return {
                "read": sum(
                    len(one["Keys"]) * (1.0 if one.get("ConsistentRead") else 0.5) for one in asked
                )
            }
        case "TransactWriteItems":
            return {"write": 2.0 * len(params["TransactItems"])}
    return {}


def test_the_page_shows_what_is_computed() -> None:
    page = (PROJECT / "docs" / "deploy.md").read_text()
    for table in (priced.table(), priced.rest_table(), priced.price_table()):
        assert table in page


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
