"""The steps of a scenario: requests in order, whose answers feed the next."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import httpx2

    from tandem_tools.harness.stack import DeployedApp

type Json = Any
type Caller = Literal["machine", "operator", "anonymous"]


@dataclass(frozen=True, slots=True)
class Step:
    """One request of an operation, what it must answer, and what later steps need of it.

    Every text of the request may name kept values, as `$task`.
    """

    operation: str
    """The operation's id in the OpenAPI document, which gives the method and the path."""
    says: str
    """What the reader sees in it."""
    expects: int = 200
    caller: Caller = "machine"
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    keeps: Mapping[str, Callable[["httpx2.Response"], str]] = field(default_factory=dict)
    """Names of values for later steps, and how each is found in the response."""
    until: Callable[[Json], bool] = lambda _: True
    """Whether the answer is the one that is waited for. Else the request is sent again."""
    shown: Callable[[Json], Json] = lambda body: body
    """What of the answer is shown: a long one is shortened."""
    during: Callable[["DeployedApp"], AbstractContextManager[None]] = lambda _: nullcontext()
    """What the stack is like while the request runs."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a client does beside calling the API. It may keep values as well."""

    does: Callable[["DeployedApp", dict[str, str]], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was sent."""

    caller: Caller
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Exchange:
    """A step as it went. `answer` is what is shown of the body, None when there was none."""

    step: Step
    request: Request
    status: int
    headers: Mapping[str, str]
    answer: Json


def field_of(*path: str | int) -> Callable[["httpx2.Response"], str]:
    """Return how to find a value in a JSON answer."""

    def find(response: "httpx2.Response") -> str:
        found = response.json()
        for part in path:
            found = found[part]
        return str(found)

    return find


def header(name: str) -> Callable[["httpx2.Response"], str]:
    """Return how to find a header's value."""
    return lambda response: str(response.headers[name])


def filled(template: Json, kept: Mapping[str, str]) -> Json:
    """Return a template with each `$name` in its texts replaced by what was kept.

    Raises:
        KeyError: nothing was kept under a name.
    """
    if isinstance(template, str):
        return Template(template).substitute(kept)
    if isinstance(template, Mapping):
        return {name: filled(value, kept) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, kept) for value in template]
    return template
