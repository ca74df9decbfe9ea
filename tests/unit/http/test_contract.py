import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tandem.files.blobs import UploadForm
from tandem.http import submission
from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.http.openapi import add_examples
from tandem.http.submission import Submission
from tandem.lambda_events import http_event
from tandem.processing.catalogue import Catalogue, installed
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tests.factories.filenames import BAD_NAMES, GOOD_NAMES
from tests.unit.http.conftest import Api

PROTECTED = [
    ("POST", "/process-online", "tasks:write"),
    ("POST", "/process-offline", "tasks:write"),
    ("POST", "/process-offline/batch", "tasks:write"),
    ("POST", "/tasks/1/cancel", "tasks:write"),
    ("POST", "/tasks/1/retry", "tasks:write"),
    ("DELETE", "/tasks/1", "tasks:write"),
    ("GET", "/callback-keys", "tasks:write"),
    ("GET", "/dead-letters", "admin"),
    ("POST", "/dead-letters/redrive", "admin"),
    ("GET", "/heavy-task", "tasks:write"),
    ("GET", "/health/deep", "tasks:read"),
    ("GET", "/uploads/1", "tasks:read"),
    ("DELETE", "/uploads/1", "tasks:write"),
    ("POST", "/uploads", "tasks:write"),
    ("GET", "/tasks", "tasks:read"),
    ("GET", "/tasks/1", "tasks:read"),
    ("GET", "/tasks/1/result", "tasks:read"),
    ("GET", "/processors", "tasks:read"),
    ("GET", "/metrics", "reports:read"),
    ("GET", "/reports", "reports:read"),
    ("GET", "/reports/latest", "reports:read"),
    ("GET", "/reports/latest.svg", "reports:read"),
]
ALL_SCOPES = {"tasks:read", "tasks:write", "reports:read", "admin"}


def test_health_needs_no_token(api: Api) -> None:
    answer = api("GET", "/health", tenant=None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_without_verified_claims_nothing_else_is_answered(
    api: Api, method: str, path: str, scope: str
) -> None:
    answer = api(method, path, tenant=None)
    assert (answer.status, answer.problem) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_each_route_needs_its_scope(api: Api, method: str, path: str, scope: str) -> None:
    others = tuple(ALL_SCOPES - {scope})
    answer = api(method, path, scopes=others)
    assert (answer.status, answer.problem) == (403, "insufficient-scope")
    assert f'scope="{scope}"' in answer.headers["www-authenticate"]
    assert api(method, path, scopes=(scope,)).status not in {401, 403}


def test_every_route_of_the_document_is_in_the_scope_test(api: Api) -> None:
    documented = {
        (method.upper(), re.sub(r"{\w+}", "1", path))
        for path, methods in api("GET", "/openapi.json").json["paths"].items()
        for method in methods
    }
    assert documented - {("GET", "/health")} == {(method, path) for method, path, _ in PROTECTED}


@pytest.mark.parametrize("tenant", ["a b", "a/b", "x" * 200, "a\nb"])
def test_a_token_that_names_no_usable_tenant_is_refused(api: Api, tenant: str) -> None:
    assert api("GET", "/tasks", tenant=tenant).problem == "unauthenticated"


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("tandem/tasks:read", 200),
        ("tasks:read", 200),
        ("[tandem/tasks:read tandem/tasks:write]", 200),
        ("other/tasks:read", 403),
        ("tasks:reads", 403),
        ("", 403),
    ],
)
def test_scopes_are_read_as_cognito_and_plain_issuers_write_them(
    api: Api, scope: str, status: int
) -> None:
    event = http_event("GET", "/tasks")
    event["requestContext"]["authorizer"]["jwt"]["claims"]["scope"] = scope
    assert api.handler(event, api.context)["statusCode"] == status  # type: ignore[arg-type]


def test_a_body_cannot_name_the_tenant(api: Api) -> None:
    body: dict[str, Any] = {"processor": "echo", "input": {"message": 1}, "tenant": "other"}
    location = api("POST", "/process-offline", body).headers["location"]
    assert api("GET", location).status == 200


def test_every_response_carries_api_gateways_request_id(api: Api) -> None:
    for method, path in (("GET", "/health"), ("GET", "/none"), ("PUT", "/tasks")):
        assert api(method, path).headers["x-request-id"] == "request-1"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [("GET", "/none", 404, "not-found"), ("DELETE", "/tasks", 405, "method-not-allowed")],
)
def test_routing_errors_are_problems_too(
    api: Api, method: str, path: str, status: int, kind: str
) -> None:
    answer = api(method, path)
    assert (answer.status, answer.problem) == (status, kind)


def test_a_bug_is_a_problem_that_says_nothing_and_is_logged_without_its_text(
    api: Api, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("SECRET-DETAIL")

    monkeypatch.setattr(api.wiring.store, "list", broken)
    answer = api("GET", "/tasks")
    assert (answer.status, answer.problem) == (500, "internal")
    assert "SECRET-DETAIL" not in answer.text + log.getvalue()
    assert "unhandled error" in log.getvalue()
    assert api("GET", "/health").status == 200


def test_one_log_line_for_each_request_without_its_body_or_query(api: Api, log: StringIO) -> None:
    api("GET", "/health")
    log.truncate(0)
    log.seek(0)
    body = {"processor": "echo", "input": {"message": "SECRET-INPUT"}}
    api("POST", "/process-online", body, query="a=SECRET-QUERY")
    lines = [json.loads(text) for text in log.getvalue().splitlines()]
    (line,) = (one for one in lines if one["message"] == "request")
    assert (line["method"], line["route"], line["status"]) == ("POST", "/process-online", 200)
    assert len(line["correlation_id"]) == 32
    assert "SECRET" not in log.getvalue()


def test_the_catalogue_shows_schemas_and_limits(api: Api) -> None:
    document = api("GET", "/processors").json
    by_name = {one["name"]: one for one in document["processors"]}
    assert {"echo", "hash-files", "copy-file"} <= by_name.keys()
    assert by_name["echo"]["input_schema"]["properties"].keys() == {"message"}
    assert document["limits"]["body_bytes"] == 5 * 1024 * 1024


def test_the_catalogue_shows_the_time_that_this_deployment_gives() -> None:
    settings = Settings(online_budget_seconds=7, worker_timeout_seconds=30)
    catalogue = Catalogue(
        replace(installed()["echo"], name=name, time_limit_seconds=limit, online=online)
        for name, limit, online in (("a", 5, "promote"), ("b", 840, "promote"), ("c", 60, "wait"))
    )
    api = Api()
    api.wiring = MemoryWiring(settings, catalogue=catalogue)
    handler = LambdaHandler(create_app(api.wiring))
    answer = handler(http_event("GET", "/processors"), api.context)  # type: ignore[arg-type]
    shown = json.loads(answer["body"])["processors"]
    limits = [(one["time_limit_seconds"], one["online_time_limit_seconds"]) for one in shown]
    assert limits == [(5, 5), (27, 7), (27, None)]
    handler.stop()
    api.handler.stop()


def test_the_document_has_one_arm_for_each_processor(api: Api) -> None:
    document = api("GET", "/openapi.json").json
    schema = document["paths"]["/process-online"]["post"]["requestBody"]["content"]
    union = schema["application/json"]["schema"]
    assert union["discriminator"]["mapping"].keys() == set(api.wiring.catalogue) - {"hash-blocks"}


def test_an_upload_ticket_names_the_tenant_in_its_key(api: Api) -> None:
    body = {"filename": "orders.csv", "content_type": "text/csv", "size": 10}
    answer = api("POST", "/uploads", body)
    assert answer.status == 201
    ticket = answer.json
    assert ticket["fields"]["key"] == f"uploads/acme/{ticket['upload_id']}"


@pytest.mark.parametrize(("session_minutes", "minutes"), [(40, 40), (600, 60)])
def test_an_upload_ticket_ends_with_the_session_that_signed_it_where_that_is_sooner(
    api: Api, monkeypatch: pytest.MonkeyPatch, session_minutes: int, minutes: int
) -> None:
    now = api.wiring.clock.now()
    form = UploadForm("memory:upload", {}, now + timedelta(minutes=session_minutes))
    monkeypatch.setattr(api.wiring.blobs, "upload_form", lambda *_, **__: form)
    body = {"filename": "orders.csv", "content_type": "text/csv", "size": 10}
    ends = datetime.fromisoformat(api("POST", "/uploads", body).json["expires_at"])
    assert ends == now + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"size": 0}, 422),
        ({"size": 5 * 1024**3 + 1}, 413),
        ({"filename": "../x"}, 422),
        ({"filename": "a\r\nb"}, 422),
        ({"filename": ""}, 422),
        ({"content_type": "text"}, 422),
        ({"content_type": "x" * 300 + "/csv"}, 422),
        ({"content_type": "text/csv\r\nx: y"}, 422),
    ],
)
def test_an_upload_that_cannot_be_is_refused(
    api: Api, changed: dict[str, Any], status: int
) -> None:
    body = {"filename": "orders.csv", "content_type": "text/csv", "size": 10}
    assert api("POST", "/uploads", body | changed).status == status


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_file_name_that_cannot_be_kept_is_refused_and_named(api: Api, name: str) -> None:
    body = {"filename": name, "content_type": "text/csv", "size": 10}
    answer = api("POST", "/uploads", body)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert [error["pointer"] for error in answer.json["errors"]] == ["/body/filename"]


@pytest.mark.parametrize("name", GOOD_NAMES.values(), ids=GOOD_NAMES)
def test_a_file_name_comes_back_as_it_was_given(api: Api, name: str) -> None:
    body = {"filename": name, "content_type": "text/csv", "size": 3}
    ticket = api("POST", "/uploads", body).json
    api.wiring.blobs.put(ticket["fields"]["key"], b"a\n1", content_type="text/csv", filename=name)
    assert api("GET", f"/uploads/{ticket['upload_id']}").json["filename"] == name


@pytest.mark.parametrize("lax", [{"dry_run": 0}, {"dry_run": "false"}, {"limit": "5"}])
def test_a_redrive_takes_no_value_for_another(api: Api, lax: dict[str, Any]) -> None:
    assert api("POST", "/dead-letters/redrive", lax, scopes=ALL_SCOPES).status == 422


def test_a_hidden_processor_runs_and_is_listed_nowhere(api: Api) -> None:
    body = {"processor": "hash-blocks", "input": {"blocks": 1, "block_mb": 1}}
    assert api("POST", "/process-online", body).status == 200
    listed = {one["name"] for one in api("GET", "/processors").json["processors"]}
    assert "hash-blocks" not in listed
    assert "echo" in listed
    assert "hash-blocks" not in api("GET", "/openapi.json").text
    for wrong in ({"processor": "nobody", "input": {}}, {"input": {}}, {"processor": 1}):
        for path in ("/process-online", "/process-offline"):
            refused = api("POST", path, wrong)
            assert (refused.status, "echo" in refused.text) == (422, True)
            assert "hash-blocks" not in refused.text


def test_where_all_processors_are_hidden_none_is_named(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = Settings(hidden_processors=tuple(installed()))
    monkeypatch.setattr(submission, "settings", lambda: everything)
    adapter: TypeAdapter[Submission] = TypeAdapter(submission.AnySubmission)
    schema = json.dumps(adapter.json_schema())
    assert not [name for name in installed() if f'"{name}"' in schema]
    with pytest.raises(ValidationError, match="There is no such processor") as raised:
        adapter.validate_python({"processor": "nobody", "input": {}})
    assert not [name for name in installed() if name in str(raised.value)]

    document = api("GET", "/openapi.json").json
    batch = document["paths"]["/process-offline/batch"]["post"]["requestBody"]["content"]
    del batch["application/json"]["examples"]
    add_examples(document, everything.hidden_processors)
    assert "examples" not in batch["application/json"]
