"""Which tokens the deployed API takes, from an issuer of one's own, and what it answers to others.

The authorizer verifies; the function reads scopes and tenant. Both are asked over real HTTP.
"""

import json
import time
from collections.abc import Callable

import httpx2
import pytest

from tandem_tools.harness.stack import DeployedApp
from tests.stack.issuer import (
    AUDIENCE,
    OPERATOR,
    TENANT_CLAIM,
    Issuer,
    encoded,
    new_key,
    token_signed_with_public_key,
    unsigned_token,
)

type Make = Callable[[Issuer], str | None]

ANOTHER = "https://issuer.example"


def ask(app: DeployedApp, token: str | None, path: str = "/tasks") -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return app.anonymous.get(path, headers=headers)


def tampered(issuer: Issuer) -> str:
    """Return a token of one tenant whose claims were changed to another's."""
    head, _, signature = issuer.token("acme").split(".")
    return f"{head}.{encoded(json.dumps(issuer.claims('victim')).encode())}.{signature}"


REFUSED: dict[str, Make] = {
    "no token": lambda _: None,
    "not a JWT": lambda _: "not-a-token",
    "three parts that are no JSON": lambda _: "a.b.c",
    "five parts": lambda issuer: issuer.token("acme") + ".x.y",
    "alg none": lambda issuer: unsigned_token(issuer.claims("acme")),
    "alg none with the signature of a good token": lambda issuer: (
        unsigned_token(issuer.claims("acme")) + issuer.token("acme").rpartition(".")[2]
    ),
    "HS256 with the public key as secret": lambda issuer: token_signed_with_public_key(
        issuer.claims("acme"), issuer.public_key
    ),
    "claims changed after signing": tampered,
    "another's key under our key's id": lambda issuer: issuer.signed(
        issuer.claims("acme"), key=new_key()
    ),
    "an unknown key id": lambda issuer: issuer.signed(issuer.claims("acme"), key_id="key-2"),
    "expired": lambda issuer: issuer.token("acme", exp=int(time.time()) - 1),
    "not yet valid": lambda issuer: issuer.token("acme", nbf=int(time.time()) + 600),
    "another issuer": lambda issuer: issuer.token("acme", iss=ANOTHER),
    "no issuer": lambda issuer: issuer.token("acme", iss=None),
    "another audience": lambda issuer: issuer.token("acme", aud="another-api"),
    "no audience": lambda issuer: issuer.token("acme", aud=None),
    "another client, no audience": lambda issuer: issuer.token(
        "acme", aud=None, client_id="another-client"
    ),
    "no tenant": lambda issuer: issuer.token("acme", **{TENANT_CLAIM: None}),
    "an empty tenant": lambda issuer: issuer.token(""),
    "a tenant that is a path": lambda issuer: issuer.token("../acme"),
    "a tenant of dots": lambda issuer: issuer.token(".."),
    "a list of tenants": lambda issuer: issuer.token("", **{TENANT_CLAIM: ["acme", "other"]}),
    "a tenant with a line end": lambda issuer: issuer.token("acme\r\nx: y"),
    "Cognito's ID token": lambda issuer: issuer.token("acme", token_use="id"),
}

TAKEN: dict[str, Make] = {
    "scopes as text": lambda issuer: issuer.token("acme"),
    "scopes with Cognito's prefix": lambda issuer: issuer.token(
        "acme", "tandem/tasks:read tandem/tasks:write"
    ),
    "scopes as a list": lambda issuer: issuer.token("acme", scope=["tasks:read"]),
    "scp as a list, as Okta": lambda issuer: issuer.token(
        "acme", scope=None, scp=["openid", "tasks:read"]
    ),
    "scp as text, as Entra ID": lambda issuer: issuer.token(
        "acme", scope=None, scp="tasks:read tasks:write"
    ),
    "several audiences": lambda issuer: issuer.token("acme", aud=["another-api", AUDIENCE]),
    "client_id for a missing audience, as Cognito": lambda issuer: issuer.token(
        "acme", aud=None, client_id=AUDIENCE, token_use="access"
    ),
    "a tenant as Auth0 names subjects": lambda issuer: issuer.token("auth0|64f0c1"),
    "an e-mail address as tenant": lambda issuer: issuer.token("user+1@example.com"),
}

WITHOUT_SCOPE: dict[str, Make] = {
    "no scope": lambda issuer: issuer.token("acme", scope=None),
    "an ID token of OpenID Connect": lambda issuer: issuer.token(
        "acme", "openid profile", nonce="n"
    ),
    "another scope of ours": lambda issuer: issuer.token("acme", "reports:read"),
    "our scope at another resource": lambda issuer: issuer.token("acme", "other/tasks:read"),
    "a scope in capitals": lambda issuer: issuer.token("acme", "TASKS:READ"),
    "a scope of which ours is the start": lambda issuer: issuer.token("acme", "tasks:readonly"),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_a_token_that_is_not_good_is_refused(
    shared: DeployedApp, issuer: Issuer, make: Make
) -> None:
    answer = ask(shared, make(issuer))
    assert answer.status_code == 401
    assert "tasks" not in answer.json()


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_tokens_are_taken_as_issuers_write_them(
    shared: DeployedApp, issuer: Issuer, make: Make
) -> None:
    answer = ask(shared, make(issuer))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("make", WITHOUT_SCOPE.values(), ids=WITHOUT_SCOPE)
def test_a_good_token_without_the_scope_is_refused_with_its_name(
    shared: DeployedApp, issuer: Issuer, make: Make
) -> None:
    answer = ask(shared, make(issuer))
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:tandem:problem:insufficient-scope"
    assert 'scope="tasks:read"' in answer.headers["www-authenticate"]


def test_what_the_function_refuses_is_a_problem_with_a_challenge(
    shared: DeployedApp, issuer: Issuer
) -> None:
    answer = ask(shared, issuer.token(".."))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:tandem:problem:unauthenticated"


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer", "Bearer a b", "Token x", "null"])
def test_a_malformed_authorization_header_is_refused(
    shared: DeployedApp, authorization: str
) -> None:
    answer = shared.anonymous.get("/tasks", headers={"Authorization": authorization})
    assert answer.status_code == 401


def test_a_token_in_the_query_is_no_token(shared: DeployedApp, issuer: Issuer) -> None:
    answer = shared.anonymous.get("/tasks", params={"access_token": issuer.token("acme")})
    assert answer.status_code == 401


def test_no_header_names_the_tenant_or_the_claims(shared: DeployedApp, issuer: Issuer) -> None:
    task_id = shared.submit("echo", {"message": 1})
    claimed = {"X-Tenant": "acme", "X-Amzn-Request-Context": '{"authorizer":{}}'}
    forged = shared.client(issuer.token("mallory"))
    assert forged.get(f"/tasks/{task_id}", headers=claimed).status_code == 404


def test_an_operators_token_reads_across_tenants_and_no_other_does(
    shared: DeployedApp, issuer: Issuer
) -> None:
    for path in ("/reports", "/dead-letters"):
        assert ask(shared, issuer.token("acme"), path).status_code == 403
        assert ask(shared, issuer.token("operations", OPERATOR), path).status_code == 200
