"""The dashboard's body, as CloudWatch gets it, and what AWS documents of its form."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tandem_tools.template import Node, load_template

TEMPLATE = load_template()
RESOURCES: Node = TEMPLATE["Resources"]
DASHBOARD: Node = RESOURCES["Dashboard"]["Properties"]

_PSEUDO = {"AWS::StackName": "tandem-test", "AWS::Region": "eu-central-1"}


def stack(**parameters: str) -> dict[str, str]:
    """Return the template's parameters with their defaults and these values."""
    defaults = {name: str(one.get("Default")) for name, one in TEMPLATE["Parameters"].items()}
    return defaults | parameters


def holds(condition: str, parameters: Mapping[str, str]) -> bool:
    """Return whether a condition of the template holds."""
    return _truth(TEMPLATE["Conditions"][condition], parameters)


def exists(resource: str, parameters: Mapping[str, str]) -> bool:
    """Return whether a resource is made: KeyError for one that the template does not have."""
    condition = RESOURCES[resource].get("Condition")
    return condition is None or holds(condition, parameters)


def body(parameters: Mapping[str, str]) -> Any:
    """Return the body of the dashboard after all substitutions."""
    return json.loads(_text(DASHBOARD["DashboardBody"], parameters))


def _truth(node: Node, parameters: Mapping[str, str]) -> bool:
    ((kind, value),) = node.items()
    match kind:
        case "Condition":
            return holds(value, parameters)
        case "Fn::Equals":
            left, right = (_text(one, parameters) for one in value)
            return left == right
        case "Fn::Not":
            return not _truth(value[0], parameters)
        case "Fn::And":
            return all(_truth(one, parameters) for one in value)
        case "Fn::Or":
            return any(_truth(one, parameters) for one in value)
    raise AssertionError(kind)


def _text(node: Any, parameters: Mapping[str, str]) -> str:
    if isinstance(node, str):
        return node
    ((kind, value),) = node.items()
    match kind:
        case "Ref":
            return _named(value, parameters)
        case "Fn::If":
            condition, then, otherwise = value
            return _text(then if holds(condition, parameters) else otherwise, parameters)
        case "Fn::Sub":
            text, own = value if isinstance(value, list) else (value, {})
            known = dict(parameters) | {name: _text(one, parameters) for name, one in own.items()}
            return re.sub(r"\$\{(!?)([^}]+)\}", lambda part: _part(part[1], part[2], known), text)
    raise AssertionError(kind)


def _part(literal: str, name: str, known: Mapping[str, str]) -> str:
    return f"${{{name}}}" if literal else _named(name, known)


def _named(name: str, known: Mapping[str, str]) -> str:
    """Return a value of that name, of the stack's own or of one of its resources."""
    for values in (known, _PSEUDO):
        if name in values:
            return values[name]
    resource, _, attribute = name.partition(".")
    assert exists(resource, known), f"{resource} is not made"
    return f"arn:aws:test:{resource}" if attribute == "Arn" else name


_COLOR = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}
_STATISTIC = {
    "type": "string",
    "pattern": r"^(SampleCount|Average|Sum|Minimum|Maximum|p\d{1,2}(\.\d+)?)$",
}
_AXIS = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "min": {"type": "number"},
        "max": {"type": "number"},
        "showUnits": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_OPTIONS = {
    "type": "object",
    "properties": {
        "color": _COLOR,
        "expression": {"type": "string", "minLength": 1},
        "id": {"type": "string", "pattern": "^[a-z][A-Za-z0-9_]*$"},
        "label": {"type": "string"},
        "period": {"type": "integer", "minimum": 60, "multipleOf": 60},
        "region": {"type": "string"},
        "stat": _STATISTIC,
        "visible": {"type": "boolean"},
        "yAxis": {"enum": ["left", "right"]},
    },
    "additionalProperties": False,
}
_METRIC = {
    "type": "array",
    "anyOf": [
        # An expression stands alone; a metric is its namespace, its name and pairs of dimensions.
        {"prefixItems": [_OPTIONS | {"required": ["expression"]}], "minItems": 1, "maxItems": 1},
        {
            "prefixItems": [{"type": "string"}, {"type": "string"}],
            "items": {"anyOf": [{"type": "string"}, _OPTIONS]},
            "minItems": 2,
        },
    ],
}
_PROPERTIES = {
    "text": {
        "type": "object",
        "properties": {
            "markdown": {"type": "string", "minLength": 1},
            "background": {"enum": ["solid", "transparent"]},
        },
        "required": ["markdown"],
        "additionalProperties": False,
    },
    "alarm": {
        "type": "object",
        "properties": {
            "alarms": {
                "type": "array",
                "items": {"type": "string", "pattern": "^arn:"},
                "minItems": 1,
                "maxItems": 100,
                "uniqueItems": True,
            },
            "sortBy": {"enum": ["default", "stateUpdatedTimestamp", "timestamp"]},
            "states": {
                "type": "array",
                "items": {"enum": ["ALARM", "INSUFFICIENT_DATA", "OK"]},
            },
            "title": {"type": "string"},
        },
        "required": ["alarms"],
        "additionalProperties": False,
    },
    "metric": {
        "type": "object",
        "properties": {
            "annotations": {
                "type": "object",
                "properties": {
                    "horizontal": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "color": _COLOR,
                                "label": {"type": "string"},
                                "value": {"type": "number"},
                            },
                            "required": ["value"],
                            "additionalProperties": False,
                        },
                    }
                },
                "additionalProperties": False,
            },
            "legend": {
                "type": "object",
                "properties": {"position": {"enum": ["right", "bottom", "hidden"]}},
            },
            "metrics": {"type": "array", "items": _METRIC, "minItems": 1, "maxItems": 500},
            "period": {"type": "integer", "minimum": 60, "multipleOf": 60},
            "region": {"type": "string", "minLength": 1},
            "stacked": {"type": "boolean"},
            "stat": _STATISTIC,
            "title": {"type": "string", "minLength": 1},
            "view": {"enum": ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]},
            "yAxis": {
                "type": "object",
                "properties": {"left": _AXIS, "right": _AXIS},
                "additionalProperties": False,
            },
        },
        "required": ["metrics", "region"],
        "additionalProperties": False,
    },
}
SCHEMA = {
    "$comment": "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html",
    "type": "object",
    "properties": {
        "start": {"type": "string", "pattern": r"^-P(\d+D|T\d+[HM])$"},
        "periodOverride": {"enum": ["auto", "inherit"]},
        "widgets": {
            "type": "array",
            "maxItems": 500,
            "items": {
                "type": "object",
                "properties": {
                    "type": {"enum": sorted(_PROPERTIES)},
                    "x": {"type": "integer", "minimum": 0, "maximum": 23},
                    "y": {"type": "integer", "minimum": 0},
                    "width": {"type": "integer", "minimum": 1, "maximum": 24},
                    "height": {"type": "integer", "minimum": 1, "maximum": 1000},
                    "properties": {"type": "object"},
                },
                "required": ["type", "properties"],
                "additionalProperties": False,
                "allOf": [
                    {
                        "if": {"properties": {"type": {"const": kind}}},
                        "then": {"properties": {"properties": schema}},
                    }
                    for kind, schema in _PROPERTIES.items()
                ],
            },
        },
    },
    "required": ["widgets"],
    "additionalProperties": False,
}
