"""The stack comes up whole: a way in, identity, both paths, and permissions that suffice."""

import httpx2
import pytest

from tandem_tools.harness.stack import DeployedApp
from tandem_tools.run import sample


def test_health_needs_no_token(app: DeployedApp) -> None:
    assert app.anonymous.get("/health").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer not.a.token", "Basic dXNlcjpwYXNzd29yZA=="],
)
def test_a_request_without_a_token_of_this_stack_is_refused(
    app: DeployedApp, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    assert app.anonymous.get("/tasks", headers=headers).status_code == 401


def test_a_token_with_a_changed_claim_is_refused(app: DeployedApp) -> None:
    head, claims, signature = app.description.token.split(".")
    other = claims[:-4] + ("AAAA" if claims[-4:] != "AAAA" else "BBBB")
    forged = {"Authorization": f"Bearer {head}.{other}.{signature}"}
    assert app.anonymous.get("/tasks", headers=forged).status_code == 401


def test_wrong_client_credentials_get_no_token(app: DeployedApp) -> None:
    answer = httpx2.post(
        app.description.token_url,
        data={"grant_type": "client_credentials"},
        auth=(app.description.client_id, "wrong"),
    )
    assert answer.status_code in {400, 401}


def test_every_permission_that_the_functions_use_is_granted(app: DeployedApp) -> None:
    # The canary's own tests take its permissions away, and other tests' errors are before these.
    functions = app.description.functions.keys() - {"canary"}
    before = {name: len(app.log_entries(name)) for name in functions}
    sample.run_offline(app.machine)
    app.invoke("report", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
    entries = {name: app.log_entries(name) for name in functions}
    assert [one for name in functions for one in entries[name] if "AccessDenied" in str(one)] == []
    logged = [one for name in functions for one in entries[name][before[name] :]]
    assert "request" in {one.get("message") for one in logged}
    assert [one for one in logged if one.get("level") == "ERROR"] == []
