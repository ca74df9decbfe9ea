"""Methods, content negotiation, security headers and health, by the RFCs."""

from io import StringIO
from typing import Any

import pytest

from tandem.messages import QueueDepth
from tests.unit.http.conftest import Api

ECHO = {"processor": "echo", "input": {"message": "hello"}}


def test_head_is_get_without_the_body(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    got, headed = api("GET", location), api("HEAD", location)
    assert (headed.status, headed.text) == (200, "")
    for name in ("etag", "content-type", "content-length"):
        assert headed.headers[name] == got.headers[name]


def test_head_of_what_makes_something_makes_nothing(api: Api) -> None:
    answer = api("HEAD", "/heavy-task")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, OPTIONS"
    assert api("GET", "/tasks").json["tasks"] == []


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health", "GET, HEAD, OPTIONS"),
        ("/tasks/1", "DELETE, GET, HEAD, OPTIONS"),
        ("/tasks/1/cancel", "OPTIONS, POST"),
        ("/uploads/1", "DELETE, GET, HEAD, OPTIONS"),
        ("/heavy-task", "GET, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_405_name_every_method_of_a_path(api: Api, path: str, methods: str) -> None:
    options = api("OPTIONS", path)
    assert (options.status, options.text, options.headers["allow"]) == (204, "", methods)
    refused = api("PATCH", path)
    assert (refused.status, refused.problem) == (405, "method-not-allowed")
    assert refused.headers["allow"] == methods


def test_options_of_no_path_is_not_found(api: Api) -> None:
    assert api("OPTIONS", "/none").problem == "not-found"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("application/*;q=0.1", 200),
        ("text/html, application/json;q=0.5", 200),
        ("APPLICATION/JSON", 200),
        ("", 200),
        ("text/html", 406),
        ("application/json;q=0, */*", 406),
        ("application/json;q=0", 406),
        ("application/json;q=x", 406),
        ("application/xml, text/*", 406),
    ],
)
def test_a_caller_that_takes_no_json_is_told_so(api: Api, accept: str, status: int) -> None:
    answer = api("GET", "/tasks", headers={"accept": accept})
    assert answer.status == status
    if status == 406:
        assert answer.problem == "not-acceptable"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("application/vnd.tandem+json", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_a_body_that_is_not_json_is_not_read(api: Api, content_type: str, status: int) -> None:
    answer = api("POST", "/process-offline", ECHO, headers={"content-type": content_type})
    assert answer.status == status
    if status == 415:
        assert answer.problem == "unsupported-media-type"
        assert answer.headers["accept"] == "application/json"


def test_an_encoded_body_is_not_read(api: Api) -> None:
    answer = api("POST", "/process-offline", ECHO, headers={"content-encoding": "gzip"})
    assert answer.problem == "unsupported-media-type"
    assert answer.headers["accept-encoding"] == "identity"


def test_a_post_without_a_body_needs_no_type(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    assert api("POST", f"{location}/cancel").status == 200


@pytest.mark.parametrize("path", ["/health", "/tasks", "/none", "/docs"])
def test_every_response_carries_the_security_headers(api: Api, path: str) -> None:
    headers = api("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "max-age=63072000" in headers["strict-transport-security"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_answers_are_kept_by_no_cache_unless_their_route_says_so(api: Api) -> None:
    assert api("GET", "/tasks").headers["cache-control"] == "no-store"
    location = api("POST", "/process-offline", ECHO).headers["location"]
    assert api("GET", location).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/processors", "/openapi.json"])
def test_what_never_changes_is_not_sent_twice(api: Api, path: str) -> None:
    first = api("GET", path)
    again = api("GET", path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.text) == (304, "")
    assert again.headers["etag"] == first.headers["etag"]


def test_deep_health_reads_every_part(api: Api) -> None:
    answer = api("GET", "/health/deep")
    parts = {"table": "ok", "queue": "ok", "bucket": "ok"}
    assert (answer.status, answer.json) == (200, {"status": "ok", "parts": parts})


def test_the_deep_check_is_where_a_token_is_asked_for(api: Api) -> None:
    answer = api("GET", "/health", tenant=None, query="deep=true")
    assert (answer.status, answer.headers["location"]) == (307, "/health/deep")
    assert api("GET", "/health/deep", tenant=None).problem == "unauthenticated"


def test_deep_health_names_the_part_that_fails_and_not_why(
    api: Api, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    def broken() -> QueueDepth:
        message = "SECRET-DETAIL"
        raise RuntimeError(message)

    monkeypatch.setattr(api.wiring.queue, "depth", broken)
    answer = api("GET", "/health/deep")
    assert (answer.status, answer.problem) == (503, "unhealthy")
    assert answer.json["parts"] == {"table": "ok", "queue": "failing", "bucket": "ok"}
    assert answer.headers["retry-after"] == "10"
    assert "SECRET-DETAIL" not in answer.text + log.getvalue()
    assert '"part":"queue"' in log.getvalue()


def uploaded(api: Api, tenant: str = "acme") -> str:
    body = {"filename": "orders.csv", "content_type": "text/csv", "size": 6}
    ticket: dict[str, Any] = api("POST", "/uploads", body, tenant=tenant).json
    key = ticket["fields"]["key"]
    api.wiring.blobs.put(key, b"id\n1\n2", content_type="text/csv", filename="orders.csv")
    upload_id: str = ticket["upload_id"]
    return upload_id


def test_an_upload_can_be_looked_at_and_deleted(api: Api) -> None:
    upload_id = uploaded(api)
    found = api("GET", f"/uploads/{upload_id}")
    about = {"upload_id": upload_id, "filename": "orders.csv", "content_type": "text/csv"}
    assert found.json.items() >= (about | {"size": 6}).items()
    deleted = api("DELETE", f"/uploads/{upload_id}")
    assert (deleted.status, deleted.text) == (204, "")
    for method in ("GET", "DELETE"):
        assert api(method, f"/uploads/{upload_id}").problem == "not-found"


def test_an_upload_of_which_no_file_was_sent_is_not_there(api: Api) -> None:
    body = {"filename": "orders.csv", "content_type": "text/csv", "size": 6}
    upload_id = api("POST", "/uploads", body).json["upload_id"]
    assert api("GET", f"/uploads/{upload_id}").problem == "not-found"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_tenants_upload_is_not_there(api: Api, method: str) -> None:
    upload_id = uploaded(api, tenant="other")
    assert api(method, f"/uploads/{upload_id}").problem == "not-found"
    assert api("GET", f"/uploads/{upload_id}", tenant="other").status == 200
