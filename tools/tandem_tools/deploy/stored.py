"""The record of what stacks keep, and the number of releases that a change takes.

CloudFormation adds or deletes one index of a table in an update, and changes none in place. A
resource whose name in the template changes, or a property that it cannot change, is made anew: its
data stays behind. docs/stored-released.json records what the last release keeps.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT
from tandem_tools.template import Node, load_template

RECORD = PROJECT / "docs" / "stored-released.json"

KEPT = {
    "AWS::ApiGatewayV2::Api": "the API's address",
    "AWS::Cognito::UserPool": "its users",
    "AWS::Cognito::UserPoolClient": "the credentials of its callers",
    "AWS::Cognito::UserPoolDomain": "the address that tokens come from",
    "AWS::Cognito::UserPoolResourceServer": "the scopes in tokens",
    "AWS::DynamoDB::Table": "its items",
    "AWS::Logs::LogGroup": "its lines",
    "AWS::S3::Bucket": "its objects",
    "AWS::SQS::Queue": "its messages",
    "AWS::SecretsManager::Secret": "its value",
    "AWS::SNS::Topic": "its subscribers",
}
"""What is lost when a resource of a type is made anew."""

_BESIDE = (
    "CloudFormation changes none in place. One release adds an index of another name, the next "
    "reads that, and the third deletes this one"
)
_BEFORE_THE_FIRST = "Before 0.2.0 no stack is updated: record it anew with make stored RECORD=1"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference from the last release."""

    text: str
    releases: int | None
    """How many releases it takes. None when no number of them makes it safe."""


def current() -> Node:
    """Return what the template keeps, as the record has it."""
    return {
        name: _resource(resource)
        for name, resource in sorted(load_template()["Resources"].items())
        if resource["Type"] in KEPT
    }


def write() -> None:
    """Record what the template keeps as what this release keeps."""
    release = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    document = {"release": release, "resources": current()}
    RECORD.write_text(json.dumps(document, indent=2) + "\n")


def check() -> None:
    """Print how the template differs from the last release.

    Raises:
        ToolError: the difference is more than one release can bring.
    """
    released = json.loads(RECORD.read_text())
    findings = list(compare(released["resources"], current()))
    print(f"Stacks of {released['release']} are updated." if findings else "Nothing differs.")
    for finding in findings:
        print(f"  {finding.text}.")
    needed = releases(findings)
    if needed is None:
        raise ToolError(
            f"Stacks of {released['release']} would lose what they keep.",
            f"Leave names and keys as they were. {_BEFORE_THE_FIRST}",
        )
    if needed > 1:
        raise ToolError(
            f"These changes take {needed} releases: each adds or deletes one index.",
            "Leave the others for later. A new index is read in the release after the one that "
            f"adds it: until then it may be half full. {_BEFORE_THE_FIRST}",
        )


def releases(findings: list[Finding]) -> int | None:
    """Return how many releases all changes take: at least one, and none when they cannot be."""
    counts = [finding.releases for finding in findings]
    if None in counts:
        return None
    return max(1, sum(count for count in counts if count is not None))


def compare(released: Node, found: Node) -> Iterator[Finding]:
    """Yield what is different from the last release.

    Args:
        released: what it keeps.
        found: what is to be kept from now on.
    """
    for name, before in released.items():
        lost = KEPT[before["type"]]
        after = found.get(name)
        if after is None or after["type"] != before["type"]:
            yield Finding(
                f"{name} is gone or has another name in the template: {lost} would be lost", None
            )
            continue
        for part in sorted(before["fixed"].keys() | after["fixed"].keys()):
            old, new = before["fixed"].get(part), after["fixed"].get(part)
            if old != new:
                yield Finding(
                    f"{part} of {name} was {_text(old)} and is {_text(new)}: "
                    f"it would be made anew, and {lost} would be lost",
                    None,
                )
        yield from _indexes(name, before.get("indexes", {}), after.get("indexes", {}))


def _indexes(table: str, before: Node, after: Node) -> Iterator[Finding]:
    for name in sorted(before.keys() | after.keys()):
        index = f"the index {name} of {table}"
        if name not in before:
            yield Finding(f"{index} is new", 1)
        elif name not in after:
            yield Finding(f"{index} is gone: nothing of the last release may read it", 1)
        else:
            parts = [part for part in before[name] if before[name][part] != after[name][part]]
            if parts:
                yield Finding(f"{index} has another {' and '.join(parts)}: {_BESIDE}", 3)


def _resource(resource: Node) -> Node:
    kind, properties = resource["Type"], resource.get("Properties", {})
    fixed = {name: properties[name] for name in _fixed(kind) if name in properties}
    if "Condition" in resource:
        # Another one would delete it from stacks in which that does not hold.
        fixed["Condition"] = resource["Condition"]
    if kind != "AWS::DynamoDB::Table":
        return {"type": kind, "fixed": fixed}
    types = {
        attribute["AttributeName"]: attribute["AttributeType"]
        for attribute in properties["AttributeDefinitions"]
    }
    if local := properties.get("LocalSecondaryIndexes"):  # they are made with their table alone
        fixed["LocalSecondaryIndexes"] = _described(local, types)
    return {
        "type": kind,
        "fixed": fixed | {"KeySchema": _key(properties["KeySchema"], types)},
        "indexes": _described(properties.get("GlobalSecondaryIndexes", []), types),
    }


def _described(indexes: list[Node], types: Node) -> Node:
    return {
        index["IndexName"]: {
            "key": _key(index["KeySchema"], types),
            "projection": [
                index["Projection"]["ProjectionType"],
                *sorted(index["Projection"].get("NonKeyAttributes", [])),
            ],
        }
        for index in indexes
    }


def _key(schema: list[dict[str, str]], types: dict[str, str]) -> list[str]:
    return [
        f"{key['KeyType']} {key['AttributeName']} {types[key['AttributeName']]}" for key in schema
    ]


def _fixed(kind: str) -> list[str]:
    """Return the properties of a type that CloudFormation changes by making a resource anew."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    pointers: list[str] = schema.get("createOnlyProperties", [])
    return [pointer.removeprefix("/properties/") for pointer in pointers]


def _text(value: Any) -> str:
    return "absent" if value is None else json.dumps(value)
