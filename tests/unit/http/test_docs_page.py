"""Swagger UI, from the API alone."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.lambda_events import LambdaContextStub, http_event
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tests.unit.http.conftest import Answer, Api

SETTINGS = Settings(oauth_url="https://auth.example.com/oauth2", console_client_id="console-1")


class Console(Api):
    def __init__(self) -> None:
        self.wiring = MemoryWiring(SETTINGS)
        self.handler = LambdaHandler(create_app(self.wiring))
        self.context = LambdaContextStub()

    def asset(self, path: str) -> bytes:
        answer = self.handler(http_event("GET", path, tenant=None), self.context)  # type: ignore[arg-type]
        assert answer["statusCode"] == 200
        body: str = answer["body"]
        return base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


@pytest.fixture
def console() -> Iterator[Console]:
    running = Console()
    yield running
    running.handler.stop()


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"src", "href"} and value]


def page(console: Console, path: str = "/docs") -> Answer:
    answer = console("GET", path, tenant=None)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    return answer


def test_all_that_the_page_loads_comes_from_this_api(console: Console) -> None:
    parser = Links()
    parser.feed(page(console).text)
    assert len(parser.found) == 3
    for link in parser.found:
        assert link.startswith("/docs/")
        assert console.asset(link)


def test_the_pages_own_scripts_are_all_that_may_run(console: Console) -> None:
    for path in ("/docs", "/docs/oauth2-redirect"):
        answer = page(console, path)
        policy = answer.headers["content-security-policy"]
        scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
        assert scripts
        for script in scripts:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert "unsafe" not in directives["script-src"]
        files = console.wiring.blobs.origin()
        assert directives["connect-src"] == f"'self' https://auth.example.com {files}"


def test_authorize_knows_the_stacks_oauth2_server_and_the_consoles_client(
    console: Console,
) -> None:
    assert '"clientId": "console-1"' in page(console).text
    flows = json.loads(console("GET", "/openapi.json", tenant=None).text)["components"][
        "securitySchemes"
    ]["oauth"]["flows"]
    assert flows["authorizationCode"]["tokenUrl"] == "https://auth.example.com/oauth2/token"


@pytest.mark.parametrize("path", ["/docs/none.js", "/docs/..%2fapp.py", "/docs/__init__.py"])
def test_nothing_else_of_the_package_is_served(console: Console, path: str) -> None:
    assert console("GET", path, tenant=None).problem == "not-found"
