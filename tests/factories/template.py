"""The deployed template, read as data."""

from pathlib import Path
from typing import Any

import yaml

TEMPLATE_FILE = Path(__file__).resolve().parents[2] / "template.yaml"

type Node = dict[str, Any]


class _TemplateLoader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": "x"} and `!Sub x` as {"Fn::Sub": "x"}."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Node:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_TemplateLoader.add_multi_constructor("!", _intrinsic)


def load_template() -> Node:
    """Return the template with its intrinsic functions written out."""
    template: Node = yaml.load(TEMPLATE_FILE.read_text(), Loader=_TemplateLoader)  # noqa: S506
    return template


def table_schema() -> Node:
    """Return what CreateTable needs for the template's table."""
    properties = load_template()["Resources"]["TaskTable"]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {name: properties[name] for name in wanted}
