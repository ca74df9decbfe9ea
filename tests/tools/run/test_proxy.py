"""The proxy changes nothing that passes through it, but the path's prefix."""

import http.client
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2
import pytest

from tandem_tools.ports import LOOPBACK, free_port
from tandem_tools.run.proxy import Proxy

EVERY_BYTE = bytes(range(256)) * 64


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, or with the status that the path ends with."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        last = self.path.rpartition("/")[2]
        if last.isdigit():
            self.send_response(int(last))
            self.send_header("content-length", "0")
            self.end_headers()
        elif last == "bytes":
            self._send(body, "application/octet-stream")
        else:
            said = {"method": self.command, "path": self.path, "headers": dict(self.headers)}
            self._send(json.dumps(said).encode(), "application/json")

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    upstream = ThreadingHTTPServer((LOOPBACK, 0), _Echo)
    thread = Thread(target=upstream.serve_forever, args=[0.01])
    thread.start()
    proxy = Proxy(0, upstream.server_address[1], "abc123")
    proxy.start()
    with httpx2.Client(base_url=proxy.url) as client:
        yield client
    proxy.stop()
    upstream.shutdown()
    thread.join()
    upstream.server_close()


def said(response: httpx2.Response) -> dict[str, Any]:
    answer: dict[str, Any] = response.raise_for_status().json()
    return answer


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_method_passes(client: httpx2.Client, method: str) -> None:
    assert said(client.request(method, "/tasks"))["method"] == method


def test_path_and_query_pass_as_they_were_sent(client: httpx2.Client) -> None:
    path = said(client.get("/tasks/a%2Fb?state=failed&q=%C3%A9&q=2"))["path"]
    assert path == "/_aws/execute-api/abc123/$default/tasks/a%2Fb?state=failed&q=%C3%A9&q=2"


def test_request_headers_pass_but_for_those_of_the_connection(client: httpx2.Client) -> None:
    headers = said(client.get("/", headers={"X-Id": "7", "TE": "trailers"}))["headers"]
    assert headers["X-Id"] == "7"
    assert headers["Host"] == client.base_url.netloc.decode()
    assert "te" not in {name.lower() for name in headers}


def test_response_headers_pass_each_on_its_own(client: httpx2.Client) -> None:
    assert client.get("/").headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_bodies_pass_byte_for_byte(client: httpx2.Client) -> None:
    assert client.post("/bytes", content=EVERY_BYTE).content == EVERY_BYTE


def test_a_chunked_body_arrives_whole(client: httpx2.Client) -> None:
    chunks = [EVERY_BYTE[:1000], EVERY_BYTE[1000:]]
    assert client.post("/bytes", content=iter(chunks)).content == EVERY_BYTE


@pytest.mark.parametrize("status", [202, 204, 303, 304, 404, 422, 503])
def test_the_status_passes(client: httpx2.Client, status: int) -> None:
    assert client.get(f"/{status}").status_code == status


def test_head_has_headers_and_no_body(client: httpx2.Client) -> None:
    answer = client.head("/tasks")
    assert int(answer.headers["content-length"]) > 0
    assert answer.content == b""


def test_one_connection_carries_many_requests(client: httpx2.Client) -> None:
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 0)
    for _ in range(3):
        connection.request("POST", "/bytes", body=b"again")
        assert connection.getresponse().read() == b"again"
    connection.close()


def test_an_emulator_that_is_gone_is_a_bad_gateway() -> None:
    proxy = Proxy(0, free_port(), "abc123")
    proxy.start()
    assert httpx2.get(proxy.url).status_code == 502
    proxy.stop()
