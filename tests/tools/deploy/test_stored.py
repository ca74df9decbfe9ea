"""What the last release's stacks keep, and which releases a change of it takes."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tandem_tools.deploy import stored
from tandem_tools.deploy.stored import RECORD, check, compare, current, releases, write
from tandem_tools.errors import ToolError
from tandem_tools.template import Node, load_template

type Change = Callable[[Node], None]


def table(template: Node) -> Node:
    properties: Node = template["Resources"]["TaskTable"]["Properties"]
    return properties


def index(template: Node, name: str) -> Node:
    [found] = (one for one in table(template)["GlobalSecondaryIndexes"] if one["IndexName"] == name)
    return found


def add_index(template: Node, name: str = "by_label") -> None:
    key = [{"AttributeName": "view", "KeyType": "HASH"}]
    projection = {"ProjectionType": "KEYS_ONLY"}
    table(template)["GlobalSecondaryIndexes"].append(
        {"IndexName": name, "KeySchema": key, "Projection": projection}
    )


def delete_index(template: Node) -> None:
    table(template)["GlobalSecondaryIndexes"].remove(index(template, "by_view"))


def replace_index(template: Node) -> None:
    add_index(template)
    delete_index(template)


def add_two(template: Node) -> None:
    add_index(template)
    add_index(template, "by_job")


def project_more(template: Node) -> None:
    index(template, "by_callback")["Projection"]["NonKeyAttributes"].append("processor")


def project_in_another_order(template: Node) -> None:
    index(template, "by_callback")["Projection"]["NonKeyAttributes"].reverse()


def order_differently(template: Node) -> None:
    index(template, "by_due")["KeySchema"][1]["AttributeName"] = "created"


def key_by_number(template: Node) -> None:
    for attribute in table(template)["AttributeDefinitions"]:
        if attribute["AttributeName"] == "pk":
            attribute["AttributeType"] = "N"


def name_table(template: Node) -> None:
    table(template)["TableName"] = "tasks"


def add_local_index(template: Node) -> None:
    key = [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "created", "KeyType": "RANGE"},
    ]
    projection = {"ProjectionType": "KEYS_ONLY"}
    table(template)["LocalSecondaryIndexes"] = [
        {"IndexName": "by_creation", "KeySchema": key, "Projection": projection}
    ]


def make_bucket_where_asked(template: Node) -> None:
    template["Resources"]["TaskBucket"]["Condition"] = "OnAws"


def make_pool_always(template: Node) -> None:
    del template["Resources"]["UserPool"]["Condition"]


def rename_bucket(template: Node) -> None:
    template["Resources"]["Objects"] = template["Resources"].pop("TaskBucket")


def make_queue_fifo(template: Node) -> None:
    template["Resources"]["TaskQueue"]["Properties"]["FifoQueue"] = True


def make_client_public(template: Node) -> None:
    template["Resources"]["MachineClient"]["Properties"]["GenerateSecret"] = False


def add_queue(template: Node) -> None:
    template["Resources"]["JobQueue"] = {"Type": "AWS::SQS::Queue"}


def retain_longer(template: Node) -> None:
    template["Resources"]["TaskQueue"]["Properties"]["MessageRetentionPeriod"] = 1209600


def found_after(change: Change, monkeypatch: pytest.MonkeyPatch) -> list[stored.Finding]:
    """Return what differs from today's template when it was the last release."""
    before, template = current(), copy.deepcopy(load_template())
    change(template)
    monkeypatch.setattr(stored, "load_template", lambda: template)
    return list(compare(before, current()))


@pytest.mark.parametrize(
    ("change", "needed", "said"),
    [
        (lambda _: None, 1, []),
        (add_queue, 1, []),
        (retain_longer, 1, []),
        (project_in_another_order, 1, []),
        (add_index, 1, ["index by_label of TaskTable is new"]),
        (delete_index, 1, ["index by_view of TaskTable is gone"]),
        (replace_index, 2, ["by_label of TaskTable is new", "by_view of TaskTable is gone"]),
        (add_two, 2, ["by_job of TaskTable is new", "by_label of TaskTable is new"]),
        (project_more, 3, ["by_callback of TaskTable has another projection"]),
        (order_differently, 3, ["by_due of TaskTable has another key"]),
        (key_by_number, None, ['KeySchema of TaskTable was ["HASH pk S"]']),
        (name_table, None, ["TableName of TaskTable was absent"]),
        (add_local_index, None, ["LocalSecondaryIndexes of TaskTable was absent"]),
        (make_bucket_where_asked, None, ["Condition of TaskBucket was absent"]),
        (make_pool_always, None, ['Condition of UserPool was "MakesUserPool" and is absent']),
        (rename_bucket, None, ["TaskBucket is gone or has another name"]),
        (make_queue_fifo, None, ["FifoQueue of TaskQueue was absent"]),
        (make_client_public, None, ["GenerateSecret of MachineClient was true"]),
    ],
)
def test_a_change_says_how_many_releases_it_takes(
    change: Change, needed: int | None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = found_after(change, monkeypatch)
    assert releases(findings) == needed
    assert len(findings) == len(said)
    assert all(text in one.text for text, one in zip(said, findings, strict=True))


@pytest.mark.parametrize(
    ("change", "why"),
    [(add_two, "take 2 releases"), (project_more, "take 3 releases"), (name_table, "lose")],
)
def test_what_a_release_cannot_bring_is_refused(
    change: Change, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stored, "RECORD", tmp_path / "record.json")
    write()
    check()
    template = copy.deepcopy(load_template())
    change(template)
    monkeypatch.setattr(stored, "load_template", lambda: template)
    with pytest.raises(ToolError, match=why):
        check()


def test_stacks_of_the_last_release_can_be_updated() -> None:
    """The record is written when a release is cut: make stored RECORD=1."""
    released = json.loads(RECORD.read_text())["resources"]
    findings = list(compare(released, current()))
    assert releases(findings) == 1, [one.text for one in findings]
