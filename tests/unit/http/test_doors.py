"""Requests that did not come through the HTTP API: nobody has verified who calls."""

import json
from io import StringIO
from typing import Any

import pytest

from tandem.http.doors import NotARequest
from tandem.lambda_events import http_event
from tandem_tools.paths import PROJECT
from tests.unit.http.conftest import Api

TOKEN = {"authorization": "Bearer any", "content-type": "application/json"}
ECHO = json.dumps({"processor": "echo", "input": {"message": "hello"}})


def function_url(method: str, path: str) -> dict[str, Any]:
    """Return an event of a function URL, whose caller says to be a tenant."""
    event = http_event(method, path, ECHO, headers=TOKEN)
    domain = "abcdefghijklmnop.lambda-url.eu-central-1.on.aws"
    return event | {"requestContext": event["requestContext"] | {"domainName": domain}}


def target_group(method: str, path: str) -> dict[str, Any]:
    """Return an event of a target group of an Application Load Balancer."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:…:targetgroup"}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {"deep": "true"},
        "headers": TOKEN | {"x-forwarded-port": "no number", "host": "a:b:c"},
        "body": ECHO,
        "isBase64Encoded": False,
    }


def target_group_with_several_values(method: str, path: str) -> dict[str, Any]:
    """Return an event of a target group that passes all values of a header on."""
    event = target_group(method, path)
    several = {name: [text] for name, text in event.pop("headers").items()}
    queries = {name: [text] for name, text in event.pop("queryStringParameters").items()}
    return event | {
        "multiValueHeaders": several | {"x-none": []},
        "multiValueQueryStringParameters": queries,
    }


def rest_api(method: str, path: str) -> dict[str, Any]:
    """Return an event of a REST API, with the claims of its own authorizer."""
    claims = {"client_id": "acme", "scope": "tasks:read tasks:write", "token_use": "access"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": TOKEN,
        "multiValueHeaders": {name: [text] for name, text in TOKEN.items()},
        "queryStringParameters": None,
        "requestContext": {
            "authorizer": {"claims": claims},
            "requestId": "rest-1",
            "stage": "prod",
        },
        "body": ECHO,
        "isBase64Encoded": False,
    }


DOORS = {
    "function URL": function_url,
    "target group": target_group,
    "target group, several values": target_group_with_several_values,
    "REST API": rest_api,
}


def headers_of(answer: dict[str, Any]) -> dict[str, str]:
    several = answer.get("multiValueHeaders", {})
    return answer.get("headers") or {name: text for name, [text] in several.items()}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/process-online"),
        ("GET", "/tasks"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/health/deep"),
        ("OPTIONS", "/tasks"),
        ("GET", "/none"),
        ("GET", ""),
    ],
)
def test_all_but_health_is_refused_with_a_problem(
    api: Api, log: StringIO, door: str, method: str, path: str
) -> None:
    answer = api.handler(DOORS[door](method, path), api.context)  # type: ignore[arg-type]
    headers = headers_of(answer)
    assert (answer["statusCode"], headers["www-authenticate"]) == (401, "Bearer")
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(answer["body"])
    assert problem["type"] == "urn:tandem:problem:unauthenticated"
    assert problem["request_id"] == headers["x-request-id"]
    assert list(api.wiring.store.tasks) == []
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(one["status"], one["level"]) for one in lines if "status" in one] == [(401, "INFO")]


@pytest.mark.parametrize("door", DOORS)
def test_health_is_answered_at_every_door(api: Api, door: str) -> None:
    answer = api.handler(DOORS[door]("GET", "/health"), api.context)  # type: ignore[arg-type]
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"status": "ok"})
    headed = api.handler(DOORS[door]("HEAD", "/health"), api.context)  # type: ignore[arg-type]
    assert (headed["statusCode"], headed["body"]) == (200, "")


def test_a_target_group_gets_headers_in_the_form_that_it_has_sent_them(api: Api) -> None:
    one = api.handler(target_group("GET", "/tasks"), api.context)  # type: ignore[arg-type]
    assert one["statusDescription"] == "401 Unauthorized"
    assert one["isBase64Encoded"] is False
    assert "multiValueHeaders" not in one
    event = target_group_with_several_values("GET", "/tasks")
    several = api.handler(event, api.context)  # type: ignore[arg-type]
    assert "headers" not in several
    assert several["multiValueHeaders"]["www-authenticate"] == ["Bearer"]


@pytest.mark.parametrize("part", ["httpMethod", "path", "headers", "body", "queryStringParameters"])
@pytest.mark.parametrize("value", [None, "", "\ud800", 7])
def test_no_part_of_a_target_groups_event_breaks_the_function(
    api: Api, part: str, value: Any
) -> None:
    changed = {"x-odd": value} if part == "headers" else value
    event = target_group("GET", "/tasks") | {part: changed}
    answer = api.handler(event, api.context)  # type: ignore[arg-type]
    assert answer["statusCode"] == 401


CONTEXT: dict[str, Any] = http_event("GET", "/tasks")["requestContext"]
CLAIMS = {"jwt": {"claims": {"client_id": "acme", "scope": "tasks:read tasks:write"}}}
ODD: tuple[Any, ...] = (None, 7, "", [], {})
STRANGE: dict[str, Any] = {
    "nothing": {},
    "null": None,
    "a list": [],
    "a text": "x",
    "a warmer's": {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
    "a web socket's": {
        "requestContext": {"routeKey": "$connect", "connectionId": "1", "authorizer": CLAIMS}
    },
    "VPC Lattice's": {
        "version": "2.0",
        "method": "GET",
        "path": "/tasks",
        "headers": {"x-amzn-oidc-identity": ["acme"]},
        "requestContext": {"serviceArn": "arn", "identity": {"principal": "acme"}},
    },
    "VPC Lattice's first": {"method": "GET", "raw_path": "/tasks", "headers": {}, "body": ""},
    "an HTTP API's first version": {
        "version": "1.0",
        "httpMethod": "GET",
        "path": "/tasks",
        "headers": {},
        "requestContext": {"authorizer": {"claims": CLAIMS["jwt"]["claims"]} | CLAIMS},
    },
    "headers in a list": http_event("GET", "/tasks") | {"headers": ["x"]},
    "several headers in a list": {"requestContext": {}, "multiValueHeaders": ["x"]},
    "several headers that are none": {"requestContext": {}, "multiValueHeaders": {"x": 7}},
}
STRANGE |= {f"context {one!r}": {"requestContext": one} for one in ODD}
STRANGE |= {
    f"{name} {one!r}": http_event("GET", "/tasks") | {"requestContext": CONTEXT | {name: one}}
    for name in ("http", "domainName")
    for one in ODD[:2] + ODD[3:]
}
STRANGE |= {
    f"http.{name} {one!r}": http_event("GET", "/tasks")
    | {"requestContext": CONTEXT | {"http": CONTEXT["http"] | {name: one}}}
    for name in ("method", "path", "sourceIp")
    for one in ODD[:2] + ODD[3:]
}


@pytest.mark.parametrize("event", STRANGE.values(), ids=STRANGE)
def test_an_event_that_no_door_sends_is_refused_and_breaks_nothing(api: Api, event: Any) -> None:
    answer = api.handler(event, api.context)  # type: ignore[arg-type]
    assert (answer["statusCode"], headers_of(answer)["www-authenticate"]) == (401, "Bearer")
    assert json.loads(answer["body"])["type"] == "urn:tandem:problem:unauthenticated"
    assert api("GET", "/tasks").status == 200


@pytest.mark.parametrize("name", ["requestContext", "version"])
def test_an_event_without_a_part_is_refused(api: Api, name: str) -> None:
    event = http_event("GET", "/tasks")
    del event[name]
    assert api.handler(event, api.context)["statusCode"] == 401  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CONTEXT)
def test_an_event_without_a_part_of_its_context_breaks_nothing(api: Api, name: str) -> None:
    context = {key: part for key, part in CONTEXT.items() if key != name}
    event = http_event("GET", "/tasks") | {"requestContext": context}
    assert api.handler(event, api.context)["statusCode"] in {200, 401}  # type: ignore[arg-type]


def test_messages_are_not_taken_for_handled(api: Api) -> None:
    event = {"Records": [{"body": "secret", "eventSource": "aws:sqs"}]}
    with pytest.raises(NotARequest) as raised:
        api.handler(event, api.context)  # type: ignore[arg-type]
    assert "secret" not in str(raised.value)  # which Lambda's runtime logs


FORGED = {
    "x-amzn-oidc-identity": "acme",
    "x-amzn-oidc-data": "e30.e30.e30",
    "x-amzn-oidc-accesstoken": "e30.e30.e30",
    "x-amzn-request-context": json.dumps({"authorizer": CLAIMS}),
    "x-amz-cognito-identity": "acme",
    "x-tenant": "acme",
    "x-forwarded-user": "acme",
    "origin": "https://evil.example.com",
}


@pytest.mark.parametrize("door", [*DOORS, "HTTP API"])
@pytest.mark.parametrize("where", ["headers", "authorizer", "event"])
def test_a_caller_who_says_who_it_is_is_nobody(api: Api, door: str, where: str) -> None:
    make = DOORS.get(door, lambda method, path: http_event(method, path, ECHO, headers=TOKEN))
    event = make("POST", "/process-online")
    context = event["requestContext"]
    context.pop("authorizer", None)  # nobody has verified a token
    if where == "headers":
        several = {name: [text] for name, text in FORGED.items()}
        event |= {"headers": event.get("headers", {}) | FORGED, "multiValueHeaders": several}
    elif where == "authorizer":
        context["authorizer"] = CLAIMS["jwt"] | {"lambda": CLAIMS["jwt"], "iam": CLAIMS["jwt"]}
    else:
        event |= {"authorizer": CLAIMS, "jwt": CLAIMS["jwt"], "claims": CLAIMS["jwt"]["claims"]}
    answer = api.handler(event, api.context)  # type: ignore[arg-type]
    assert answer["statusCode"] == 401
    assert "access-control-allow-origin" not in {name.lower() for name in headers_of(answer)}
    assert list(api.wiring.store.tasks) == []


def test_a_refusal_at_one_door_closes_no_other(api: Api) -> None:
    for make in DOORS.values():
        api.handler(make("GET", "/tasks"), api.context)  # type: ignore[arg-type]
    assert api("GET", "/tasks").status == 200


@pytest.mark.parametrize("file", ["api-function-url.json", "api-target-group.json"])
def test_the_events_shown_are_refused(api: Api, file: str) -> None:
    event = json.loads((PROJECT / "events" / file).read_text())
    assert api.handler(event, api.context)["statusCode"] == 401  # type: ignore[arg-type]
