"""What is too large or not what it says is refused on the way in, or ends its task at once."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection

import httpx2
import pytest

from tandem.limits import BODY_BYTES, UPLOAD_BYTES
from tandem_tools.harness.stack import DeployedApp, Json
from tests.stack.issuer import Issuer

ECHO = '{"processor":"echo","input":{"message":%s}}'


@pytest.fixture(scope="module")
def client(shared: DeployedApp, issuer: Issuer) -> httpx2.Client:
    return shared.client(issuer.token("bounded"))


def form(client: httpx2.Client, size: int, content_type: str = "text/csv") -> Json:
    asked = {"filename": "t.csv", "content_type": content_type, "size": size}
    return client.post("/uploads", json=asked).raise_for_status().json()


def send(ticket: Json, content: bytes, **changed: str) -> httpx2.Response:
    fields = ticket["fields"] | changed
    return httpx2.post(ticket["url"], data=fields, files={"file": ("t.csv", content)}, timeout=60)


def test_the_store_takes_what_was_asked_for(client: httpx2.Client) -> None:
    assert send(form(client, 10), b"0123456789").is_success


@pytest.mark.parametrize("content", [b"01234567890", b"x" * 1_000_000, b""])
def test_the_store_refuses_a_file_of_another_size(client: httpx2.Client, content: bytes) -> None:
    assert 400 <= send(form(client, 10), content).status_code < 500


@pytest.mark.parametrize(
    "changed",
    [
        {"Content-Type": "text/html"},
        {"x-amz-meta-filename": "other.html"},
        {"key": "uploads/other/name"},
        {"acl": "public-read"},
        {"policy": "eyJjb25kaXRpb25zIjpbXX0="},
        {"x-amz-signature": "0" * 64},
    ],
)
def test_the_store_refuses_a_changed_form(client: httpx2.Client, changed: dict[str, str]) -> None:
    assert 400 <= send(form(client, 10), b"0123456789", **changed).status_code < 500


def test_a_larger_upload_than_any_is_refused_before_it_is_sent(client: httpx2.Client) -> None:
    asked = {"filename": "t.csv", "content_type": "text/csv", "size": UPLOAD_BYTES + 1}
    assert client.post("/uploads", json=asked).status_code == 413


@pytest.mark.parametrize(("more", "status"), [(0, 303), (1, 413)])
@pytest.mark.parametrize("chunked", ["whole", "in chunks"])
def test_a_body_is_bounded(client: httpx2.Client, more: int, status: int, chunked: str) -> None:
    text = ECHO % json.dumps("x" * (BODY_BYTES - len(ECHO % '""') + more))

    def chunks() -> Iterator[bytes]:
        yield text[:1000].encode()
        yield text[1000:].encode()

    content = chunks() if chunked == "in chunks" else text.encode()
    headers = {"Content-Type": "application/json"}
    answer = client.post("/process-online", content=content, headers=headers)
    assert answer.status_code == status, answer.text[:200]
    if status == 413:
        assert answer.json()["type"] == "urn:tandem:problem:content-too-large"


def test_json_that_is_too_deep_is_a_problem(client: httpx2.Client) -> None:
    text = ECHO % ("[" * 100_000 + "]" * 100_000)
    headers = {"Content-Type": "application/json"}
    answer = client.post("/process-offline", content=text, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (
        422,
        "urn:tandem:problem:invalid-request",
    )
    assert "200 levels" in answer.text


def test_a_deep_document_comes_back_from_the_worker(client: httpx2.Client) -> None:
    message = "[" * 198 + "]" * 198
    headers = {"Content-Type": "application/json", "Prefer": "wait=20"}
    answer = client.post("/process-offline", content=ECHO % message, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"] == {"message": json.loads(message)}


def test_a_body_that_is_no_json_by_its_type_is_refused(client: httpx2.Client) -> None:
    for content_type in ("text/plain", "application/octet-stream", "image/png"):
        headers = {"Content-Type": content_type}
        answer = client.post("/process-online", content=b"\xff\x00" + b"x" * 100, headers=headers)
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_content_length_that_lies_breaks_nothing(client: httpx2.Client) -> None:
    """A longer length than the body ends with the connection; a shorter one cuts the body."""
    connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=10)
    try:
        connection.putrequest("POST", "/process-online")
        connection.putheader("Authorization", client.headers["authorization"])
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "20")
        connection.endheaders((ECHO % 1).encode())
        answer = connection.getresponse()
        assert answer.status == 422, answer.read()
    finally:
        connection.close()
    assert client.get("/tasks").status_code == 200
