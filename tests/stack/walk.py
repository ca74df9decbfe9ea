"""Every operation of the API's own document, as calls that try to reach another tenant's things."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import httpx2

type Json = dict[str, Any]

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
OPERATORS = frozenset({"reports", "dead letters", "metrics"})
"""Tags of the operations that look across tenants."""


class Uncovered(AssertionError):
    """An operation that the walk does not know how to call: say so in `Things`."""


@dataclass(frozen=True)
class Things:
    """What one tenant has, and how each operation could be asked for it."""

    ids: dict[str, list[str]]
    """By path parameter."""
    secrets: list[str]
    """Texts that only this tenant may see, beside the ids."""
    queries: dict[str, str] = field(default_factory=dict)
    """By query parameter."""
    headers: dict[str, str] = field(default_factory=dict)
    """By header parameter."""
    bodies: dict[str, list[Json]] = field(default_factory=dict)
    """By operation id."""

    @property
    def marks(self) -> list[str]:
        """All that would give the tenant away."""
        return [*self.secrets, *(one for ids in self.ids.values() for one in ids)]


@dataclass(frozen=True)
class Call:
    """One call of an operation with something of another tenant's."""

    operation: str
    method: str
    path: str
    operators: bool
    names_a_thing: bool
    query: dict[str, str]
    headers: dict[str, str]
    body: Json | None

    def send(self, client: httpx2.Client) -> httpx2.Response:
        """Make the call."""
        return client.request(
            self.method, self.path, params=self.query, headers=self.headers, json=self.body
        )

    def shown(self, answer: httpx2.Response, things: Things) -> list[str]:
        """Return what an answer shows of the tenant's, beyond what the call itself had said."""
        said = json.dumps([self.path, self.query, self.headers, self.body])
        got = answer.text + repr(answer.headers.multi_items())
        return [mark for mark in things.marks if mark in got and mark not in said]


def calls(document: Json, things: Things) -> Iterator[Call]:
    """Yield calls of every operation in an OpenAPI document.

    Raises:
        Uncovered: a path parameter or a body is not among the things.
    """
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            operation = item[method]
            parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
            name = operation["operationId"]
            for filled, body in product(
                _paths(path, _names(parameters, "path"), things),
                _bodies(name, operation, things),
            ):
                yield Call(
                    operation=name,
                    method=method.upper(),
                    path=filled,
                    operators=not OPERATORS.isdisjoint(operation.get("tags", ())),
                    names_a_thing="{" in path,
                    query=_given(_names(parameters, "query"), things.queries),
                    headers=_given(_names(parameters, "header"), things.headers),
                    body=body,
                )


def _names(parameters: list[Json], place: str) -> list[str]:
    return [one["name"] for one in parameters if one["in"] == place]


def _given(names: list[str], values: dict[str, str]) -> dict[str, str]:
    return {name: values[name.lower()] for name in names if name.lower() in values}


def _paths(path: str, names: list[str], things: Things) -> list[str]:
    unknown = set(names) - things.ids.keys()
    if unknown:
        message = f"{path}: the walk has no ids for {sorted(unknown)}"
        raise Uncovered(message)
    return [
        path.format_map(dict(zip(names, ids, strict=True)))
        for ids in product(*(things.ids[name] for name in names))
    ]


def _bodies(name: str, operation: Json, things: Things) -> list[Json] | list[None]:
    if "requestBody" not in operation:
        return [None]
    if name not in things.bodies:
        message = f"{name}: the walk has no body for it"
        raise Uncovered(message)
    return things.bodies[name]
