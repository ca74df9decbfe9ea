"""The deployed template, read as data."""

from pathlib import Path
from typing import Any, cast

import yaml

from tandem_tools.paths import PROJECT

TEMPLATE_FILE = PROJECT / "template.yaml"

type Node = dict[str, Any]


class _TemplateLoader(yaml.CSafeLoader):
    """Reads `!Ref x` as {"Ref": "x"} and `!Sub x` as {"Fn::Sub": "x"}.

    By libyaml, which every wheel of PyYAML has: Python's own parser takes ten times as long.
    """


def _intrinsic(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> Node:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)}


_TemplateLoader.add_multi_constructor("!", _intrinsic)


def load_template(path: Path = TEMPLATE_FILE) -> Node:
    """Return a template with its intrinsic functions written out."""
    loader = _TemplateLoader(path.read_text())
    try:
        template: Node = loader.get_single_data()
    finally:
        loader.dispose()
    return template
