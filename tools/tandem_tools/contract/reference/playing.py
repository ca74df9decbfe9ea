"""Playing a scenario on a running stack, over HTTP."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx2

from tandem_tools.contract.reference.steps import Action, Exchange, Request, Step, filled
from tandem_tools.harness.stack import DeployedApp

ANSWERED_WITHIN_SECONDS = 150
"""A report counts a task up to 130 s after its end: its minute, the grace, and the next run."""
AGAIN_AFTER_SECONDS = 0.25

type Routes = Mapping[str, tuple[str, str]]


class StepFailed(Exception):
    """A step was not answered as the scenario says."""


def routes_of(document: Mapping[str, Any]) -> Routes:
    """Return the method and path of each operation id of an OpenAPI document."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def play(
    app: DeployedApp, scenario: Sequence[Step | Action], document: Mapping[str, Any]
) -> list[Exchange]:
    """Play a scenario and return its exchanges.

    Raises:
        StepFailed: an answer was another one than the scenario says, for too long.
    """
    return list(_exchanges(app, scenario, routes_of(document)))


def _exchanges(
    app: DeployedApp, scenario: Sequence[Step | Action], routes: Routes
) -> Iterator[Exchange]:
    kept: dict[str, str] = {}
    for step in scenario:
        if isinstance(step, Action):
            step.does(app, kept)
            continue
        kept["new_key"] = str(uuid4())
        request = _request(step, routes, kept)
        with step.during(app):
            response = _answer(app, step, request)
        kept |= {name: find(response) for name, find in step.keeps.items()}
        yield Exchange(
            step=step,
            request=request,
            status=response.status_code,
            headers=dict(response.headers),
            answer=step.shown(_body(response)),
        )


def _request(step: Step, routes: Routes, kept: Mapping[str, str]) -> Request:
    method, path = routes[step.operation]
    return Request(
        caller=step.caller,
        method=method,
        path=path.format_map(filled(step.path, kept)),
        query=filled(step.query, kept),
        headers=filled(step.headers, kept),
        body=filled(step.body, kept),
    )


def _answer(app: DeployedApp, step: Step, request: Request) -> httpx2.Response:
    client: httpx2.Client = getattr(app, request.caller)
    deadline = time.monotonic() + ANSWERED_WITHIN_SECONDS
    while True:
        response = client.request(
            request.method,
            request.path,
            params=request.query,
            headers=request.headers,
            **_content(request),
        )
        if response.status_code == step.expects and step.until(_body(response)):
            return response
        if time.monotonic() > deadline:
            raise StepFailed(
                f"{step.says} {request.method} {request.path} answered {response.status_code}, "
                f"not {step.expects}: {response.text[:2000]}"
            )
        time.sleep(AGAIN_AFTER_SECONDS)


def _content(request: Request) -> dict[str, Any]:
    """Return the body as httpx2 takes it: a text is sent as it is, anything else as JSON."""
    if request.body is None:
        return {}
    return {"content" if isinstance(request.body, str) else "json": request.body}


def _body(response: httpx2.Response) -> Any:
    """Return the JSON of a response, its text when it is none, None when there is nothing."""
    if not response.content:
        return None
    return response.json() if "json" in response.headers["content-type"] else response.text
