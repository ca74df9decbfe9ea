"""The tables of an operation, from the OpenAPI document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

type Document = Mapping[str, Any]


def operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Return each operation with its method and path, in the document's order."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def tagged(document: Document, tag: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return the operations of one tag. An operation has one."""
    return [operation for operation in operations(document) if operation[2]["tags"] == [tag]]


def scope_of(operation: Mapping[str, Any]) -> str:
    """Return which token an operation wants, as Markdown."""
    needed = [
        scope.rpartition("/")[2]
        for requirement in operation.get("security", [])
        for scopes in requirement.values()
        for scope in scopes
    ]
    if needed:
        return "Scope " + " or ".join(f"`{scope}`" for scope in dict.fromkeys(needed)) + "."
    return "Needs an access token." if operation.get("security") else "Needs no token."


def parameters(document: Document, operation: Mapping[str, Any]) -> list[str]:
    """Return the table of parameters. Nothing when there are none."""
    rows = [
        (
            f"`{parameter['name']}`",
            parameter["in"],
            _about(document, parameter["schema"], parameter.get("description")),
        )
        for parameter in operation.get("parameters", [])
    ]
    return _table(("parameter", "in", "means"), rows)


def body_fields(document: Document, operation: Mapping[str, Any]) -> list[str]:
    """Return the table of the body's fields. Nothing when there is no body.

    A body that has an arm for each processor shows what the arms say together.
    """
    if "requestBody" not in operation:
        return []
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for arm in _arms(document, schema):
        for name, field in arm.get("properties", {}).items():
            found.setdefault(name, []).append(field)
    needed = [set(arm.get("required", ())) for arm in _arms(document, schema)]
    rows = [
        (
            f"`{name}`" + ("" if all(name in scope for scope in needed) else ", optional"),
            _together(document, fields),
        )
        for name, fields in found.items()
    ]
    return _table(("field of the body", "means"), rows)


def answers(operation: Mapping[str, Any]) -> list[str]:
    """Return the table of an operation's possible answers."""
    rows = [
        ("any other" if status == "default" else status, _line(answer["description"]))
        for status, answer in sorted(operation["responses"].items())
    ]
    return _table(("status", "when"), rows)


def _together(document: Document, fields: list[Mapping[str, Any]]) -> str:
    """Return what fields of one name say: each constant, or the first field's description."""
    constants = [f"`{field['const']}`" for field in fields if "const" in field]
    if constants:
        return ", ".join(constants)
    if all("$ref" in field for field in fields) and len(fields) > 1:
        return "The input of that processor: `GET /processors` has its schema."
    return _about(document, fields[0], fields[0].get("description"))


def _about(document: Document, schema: Mapping[str, Any], described: str | None) -> str:
    """Return the description, the values that are allowed, and the default."""
    choices = [value for arm in _arms(document, schema) for value in arm.get("enum", ())]
    parts = [_line(described or schema.get("description") or _example(schema))]
    if choices:
        parts.append("One of " + ", ".join(f"`{choice}`" for choice in choices) + ".")
    bounds = [f"{schema[key]:g}" for key in ("minimum", "maximum") if key in schema]
    if len(bounds) == 2:
        parts.append(f"{bounds[0]} to {bounds[1]}.")
    default = schema.get("default")
    if isinstance(default, str | int | float):
        parts.append(f"By default `{str(default).lower()}`.")
    return " ".join(part for part in parts if part)


def _example(schema: Mapping[str, Any]) -> str:
    """Return a schema's example. Nothing when it has none."""
    examples = schema.get("examples", [])
    return f"For example `{json.dumps(examples[0])}`." if examples else ""


def _arms(document: Document, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the schemas that a schema stands for: those it refers to, or chooses among."""
    if "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return _arms(document, found)
    inner = schema.get("oneOf") or schema.get("anyOf")
    if inner and "properties" not in schema:
        return [arm for part in inner for arm in _arms(document, part)]
    return [schema]


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [head, tuple("---" for _ in head), *rows]
    return ["", *(f"| {' | '.join(line)} |" for line in lines)]
