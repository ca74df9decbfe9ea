"""What a browser, and any HTTP client, sees of the deployed API."""

import base64
import hashlib
import json
import re
import secrets
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tandem_tools.harness.stack import ALLOWED_ORIGIN, DeployedApp

PASSWORD = "Correct-horse-1-battery"


def test_documentation_is_open_and_needs_no_other_server(app: DeployedApp) -> None:
    page = app.anonymous.get("/docs").raise_for_status()
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(parts) == 3
    for part in parts:
        assert app.anonymous.get(part).raise_for_status().content


def test_the_document_names_this_stacks_oauth2_server(app: DeployedApp) -> None:
    document = app.anonymous.get("/openapi.json").raise_for_status().json()
    flows = document["components"]["securitySchemes"]["oauth"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == app.description.token_url


def test_deep_health_follows_with_the_token(app: DeployedApp) -> None:
    answer = app.machine.get("/health?deep=true", follow_redirects=True)
    assert answer.json()["parts"] == {"table": "ok", "queue": "ok", "bucket": "ok"}
    assert app.anonymous.get("/health?deep=true", follow_redirects=True).status_code == 401


def test_an_upload_is_looked_at_and_deleted(app: DeployedApp) -> None:
    content = b"id\n1\n"
    about = {"filename": "Zürich.csv", "content_type": "text/csv", "size": len(content)}
    ticket = app.machine.post("/uploads", json=about).json()
    place = f"/uploads/{ticket['upload_id']}"
    assert app.machine.get(place).status_code == 404
    form = {"data": ticket["fields"], "files": {"file": ("x", content)}}
    httpx2.post(ticket["url"], **form).raise_for_status()
    found = app.machine.get(place).raise_for_status().json()
    assert {name: found[name] for name in about} == about
    assert app.operator.get(place).status_code == 404  # another tenant
    assert app.machine.delete(place).status_code == 204
    assert app.machine.get(place).status_code == 404


def test_head_and_405_and_415_over_the_gateway(app: DeployedApp) -> None:
    headed = app.machine.head("/processors")
    assert (headed.status_code, headed.content) == (200, b"")
    refused = app.machine.patch("/tasks")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    answer = app.machine.post(
        "/process-online", content="{}", headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415


def test_a_page_of_an_allowed_origin_may_call_the_api(app: DeployedApp) -> None:
    asked = {"origin": ALLOWED_ORIGIN, "access-control-request-headers": "authorization, prefer"}
    document = app.anonymous.get("/openapi.json").raise_for_status().json()
    for path, operations in document["paths"].items():
        for method in map(str.upper, operations):
            preflight = app.anonymous.options(
                re.sub(r"{\w+}", "1", path),
                headers=asked | {"access-control-request-method": method},
            )
            assert (preflight.status_code, allowed(preflight)) == (204, ALLOWED_ORIGIN), path
            assert method in preflight.headers["access-control-allow-methods"]
            assert "authorization" in preflight.headers["access-control-allow-headers"]
            assert "prefer" in preflight.headers["access-control-allow-headers"]
    answer = app.machine.get("/tasks", headers={"origin": ALLOWED_ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert "etag" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null"])
def test_a_page_of_another_origin_may_not(app: DeployedApp, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert allowed(app.anonymous.options("/process-offline", headers=asked)) is None
    answer = app.machine.get("/tasks", headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("page", ["the API's own", "another that is allowed"])
def test_a_page_sends_a_file_and_reads_what_it_is_redirected_to(
    app: DeployedApp, page: str
) -> None:
    origin = app.description.url if page == "the API's own" else ALLOWED_ORIGIN
    content = b"id\n" + b"1\n" * 5
    about = {"filename": "a.csv", "content_type": "text/csv", "size": len(content)}
    ticket = app.machine.post("/uploads", json=about, headers={"origin": origin}).json()
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-any"}
    preflight = httpx2.options(ticket["url"], headers=asked | {"origin": origin})
    assert (preflight.status_code, allowed(preflight)) == (200, origin)
    form = {"data": ticket["fields"], "files": {"file": ("x", content)}}
    sent = httpx2.post(ticket["url"], headers={"origin": origin}, **form).raise_for_status()
    assert allowed(sent) == origin
    task_id = app.submit("copy-file", {"upload": ticket["upload_id"]})
    assert app.finished(task_id)["state"] == "succeeded"
    redirect = app.machine.get(f"/tasks/{task_id}/result")
    assert redirect.status_code == 303
    # What a browser names here is the page's origin only where the API has the same.
    named = origin if page == "the API's own" else "null"
    file = httpx2.get(redirect.headers["location"], headers={"origin": named}).raise_for_status()
    assert allowed(file) in {origin, "*"}
    assert "Content-Disposition" in file.headers["access-control-expose-headers"]


def test_a_page_of_another_origin_sends_no_file(app: DeployedApp) -> None:
    about = {"filename": "a.csv", "content_type": "text/csv", "size": 1}
    ticket = app.machine.post("/uploads", json=about).json()
    asked = {"origin": "https://evil.example.com", "access-control-request-method": "POST"}
    assert httpx2.options(ticket["url"], headers=asked).status_code == 403


def allowed(answer: httpx2.Response) -> str | None:
    """Return the origin whose pages may see an answer."""
    return answer.headers.get("access-control-allow-origin")


def test_a_person_signs_in_as_the_docs_page_does(app: DeployedApp) -> None:
    """Authorization code with PKCE (RFC 7636), by the console's client, which has no secret."""
    page = app.anonymous.get("/docs").text
    client_id = json.loads(re.findall(r'"clientId": ("[^"]+")', page)[0])
    flow = app.anonymous.get("/openapi.json").json()["components"]["securitySchemes"]["oauth"]
    urls = flow["flows"]["authorizationCode"]
    make_user(app)
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": f"{app.description.url}/docs/oauth2-redirect",
        "scope": "tandem/tasks:read tandem/reports:read",
        "state": "state-1",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    form = httpx2.get(urls["authorizationUrl"], params=asked).raise_for_status().text
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
    signed_in = httpx2.post(
        f"{app.description.endpoint_url}/login",
        data=asked | fields | {"username": "ada", "password": PASSWORD, "scope": asked["scope"]},
    )
    back = urlsplit(signed_in.headers["location"])
    answered = parse_qs(back.query)
    assert f"{back.scheme}://{back.netloc}{back.path}" == asked["redirect_uri"]
    assert answered["state"] == ["state-1"]
    token = httpx2.post(
        urls["tokenUrl"],
        data={
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": answered["code"][0],
            "redirect_uri": asked["redirect_uri"],
            "code_verifier": verifier,
        },
    ).raise_for_status()
    bearer = {"authorization": f"Bearer {token.json()['access_token']}"}
    assert app.anonymous.get("/reports", headers=bearer).status_code == 200
    assert app.anonymous.get("/tasks", headers=bearer).status_code == 200
    assert app.anonymous.get("/dead-letters", headers=bearer).status_code == 403


def make_user(app: DeployedApp) -> None:
    pools = app.aws.cognito.list_user_pools(MaxResults=1)["UserPools"]
    pool = pools[0]["Id"]
    app.aws.cognito.admin_create_user(
        UserPoolId=pool, Username="ada", TemporaryPassword=PASSWORD, MessageAction="SUPPRESS"
    )
    app.aws.cognito.admin_set_user_password(
        UserPoolId=pool, Username="ada", Password=PASSWORD, Permanent=True
    )
