"""The API on a domain of one's own, below the key of an API mapping, and at a stage with a name."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.lambda_events import LambdaContextStub, http_event
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tests.unit.http.conftest import Answer, Api

URL = "https://api.example.com/tandem/v1"
DOMAIN = "api.example.com"
OWN = "api.execute-api.eu-central-1.amazonaws.com"
ECHO = {"processor": "echo", "input": {"message": "hello"}}

type Place = Callable[[dict[str, Any]], dict[str, Any]]


def at(domain: str, stage: str = "$default", prefix: str = "") -> Place:
    """Return what makes of an event one of that domain and stage, whose path begins so."""

    def moved(event: dict[str, Any]) -> dict[str, Any]:
        context = event["requestContext"]
        path = f"{prefix}{event['rawPath']}"
        http = context["http"] | {"path": path}
        more = {"domainName": domain, "stage": stage, "http": http}
        return event | {"rawPath": path, "requestContext": context | more}

    return moved


PLACES: dict[str, tuple[Place, str]] = {
    "the API's own name": (at(OWN), ""),
    "a stage with a name": (at(OWN, "prod", "/prod"), "/prod"),
    "a stage that is called as a route": (at(OWN, "tasks", "/tasks"), "/tasks"),
    "a domain with a mapping's key": (at(DOMAIN), "/tandem/v1"),
    "the same, with the key in the path": (at(DOMAIN, prefix="/tandem/v1"), "/tandem/v1"),
    "a domain with a key, and a stage with a name": (at(DOMAIN, "prod", "/prod"), "/tandem/v1"),
    "the same, without the stage in the path": (at(DOMAIN, "prod"), "/tandem/v1"),
    "another domain without a key": (at("tandem.example.com"), ""),
    "another domain, and a stage with a name": (at("tandem.example.com", "prod", "/prod"), ""),
}
"""For each place, what makes an event of it, and what callers have before every path there."""


class Placed(Api):
    def __init__(self, place: Place, url: str = URL) -> None:
        self.wiring = MemoryWiring(Settings(callback_secret="callback-key", console_url=url))
        self.handler = LambdaHandler(create_app(self.wiring), url=url)
        self.context = LambdaContextStub()
        self.place = place

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        event = self.place(http_event(method, path, body, **options))
        answer = self.handler(event, self.context)  # type: ignore[arg-type]
        return Answer(answer["statusCode"], answer["headers"], answer.get("body", ""))


@pytest.fixture(params=list(PLACES.values()), ids=list(PLACES))
def placed(request: pytest.FixtureRequest) -> Iterator[tuple[Placed, str]]:
    place, base = request.param
    api = Placed(place)
    yield api, base
    api.handler.stop()


def test_every_route_is_found(placed: tuple[Placed, str]) -> None:
    api, _ = placed
    for path in ("/health", "/tasks", "/processors", "/reports", "/docs", "/openapi.json"):
        assert api("GET", path).status == 200, path
    assert api("OPTIONS", "/process-online").status == 204
    assert api("HEAD", "/heavy-task").status == 405
    assert api("GET", "/none").problem == "not-found"


def test_places_in_answers_are_those_that_callers_reach(placed: tuple[Placed, str]) -> None:
    api, base = placed
    queued = api("POST", "/process-offline", ECHO)
    task_id = queued.json["task_id"]
    place = f"{base}/tasks/{task_id}"
    assert queued.headers["location"] == place
    links = {
        "self": place,
        "result": f"{place}/result",
        "cancel": f"{place}/cancel",
        "retry": f"{place}/retry",
    }
    assert queued.json["task"]["links"] == links
    assert api("GET", f"/tasks/{task_id}").json["links"] == links
    assert api("GET", "/tasks").json["tasks"][0]["links"] == links
    batch = api("POST", "/process-offline/batch", {"tasks": [ECHO]}).json["items"]
    assert batch[0]["task"]["links"]["self"].startswith(f"{base}/tasks/")
    assert api("GET", "/health", query="deep=true").headers["location"] == f"{base}/health/deep"


def test_a_file_is_where_it_is_whatever_the_place(placed: tuple[Placed, str]) -> None:
    api, _ = placed
    text = {"text": "hello"}
    answer = api("POST", "/process-online", {"processor": "copy-file", "input": text})
    result = api("GET", f"/tasks/{answer.json['task_id']}/result")
    assert result.status == 303
    assert result.headers["location"].startswith("memory:")


def test_the_docs_page_and_the_document_begin_there_too(placed: tuple[Placed, str]) -> None:
    api, base = placed
    page = api("GET", "/docs").text
    for part in (
        f'src="{base}/docs/swagger-ui-bundle.js"',
        f'href="{base}/docs/swagger-ui.css"',
        f"url: '{base}/openapi.json'",
        f"window.location.origin + '{base}/docs/oauth2-redirect'",
    ):
        assert part in page
    document = api("GET", "/openapi.json").json
    assert document["servers"] == [{"url": base or "/"}]


def test_documents_of_two_places_differ_in_nothing_else() -> None:
    api = Placed(at(DOMAIN))
    mapped = json.loads(api("GET", "/openapi.json").text)
    api.place = at(OWN)
    own = json.loads(api("GET", "/openapi.json").text)
    api.handler.stop()
    assert mapped | {"servers": own["servers"]} == own


def test_one_place_leaves_nothing_behind_for_the_next() -> None:
    api = Placed(at(DOMAIN))
    assert api("POST", "/process-offline", ECHO).headers["location"].startswith("/tandem/v1/")
    api.place = at(OWN)
    answer = api("POST", "/process-offline", ECHO)
    api.handler.stop()
    assert answer.headers["location"].startswith("/tasks/")
    assert answer.json["task"]["links"]["self"].startswith("/tasks/")


@pytest.mark.parametrize("url", ["", "https://api.example.com", "https://api.example.com/"])
def test_without_a_key_a_domain_is_as_the_apis_own(url: str) -> None:
    api = Placed(at(DOMAIN), url)
    answer = api("POST", "/process-offline", ECHO)
    api.handler.stop()
    assert answer.headers["location"] == f"/tasks/{answer.json['task_id']}"
